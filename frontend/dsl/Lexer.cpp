//===- Lexer.cpp - Tokens of the architecture language --------------------===//

#include "Lexer.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"

using namespace espalier::dsl;
using llvm::StringRef;

Token Lexer::make(Tok kind, uint32_t begin) {
  Token token{kind, atLineStart, begin, text.slice(begin, pos)};
  atLineStart = false;
  return token;
}

Token Lexer::lexNumber(uint32_t begin) {
  auto skipDigits = [&] {
    while (pos < text.size() && (llvm::isDigit(text[pos]) || text[pos] == '_'))
      ++pos;
  };
  auto digitAt = [&](uint32_t at) { return at < text.size() && llvm::isDigit(text[at]); };
  skipDigits();
  Tok kind = Tok::Int;
  if (pos < text.size() && text[pos] == '.' && digitAt(pos + 1)) {
    kind = Tok::Float;
    ++pos;
    skipDigits();
  }
  if (pos < text.size() && (text[pos] == 'e' || text[pos] == 'E')) {
    uint32_t digits = pos + 1;
    if (digits < text.size() && (text[digits] == '+' || text[digits] == '-'))
      ++digits;
    if (digitAt(digits)) {
      kind = Tok::Float;
      pos = digits;
      skipDigits();
    }
  }
  return make(kind, begin);
}

Token Lexer::lexWord(uint32_t begin) {
  while (pos < text.size() && (llvm::isAlnum(text[pos]) || text[pos] == '_'))
    ++pos;
  Tok kind = llvm::StringSwitch<Tok>(text.slice(begin, pos))
                 .Case("and", Tok::KwAnd)
                 .Case("arch", Tok::KwArch)
                 .Case("as", Tok::KwAs)
                 .Case("block", Tok::KwBlock)
                 .Case("else", Tok::KwElse)
                 .Case("false", Tok::KwFalse)
                 .Case("fn", Tok::KwFn)
                 .Case("for", Tok::KwFor)
                 .Case("if", Tok::KwIf)
                 .Case("import", Tok::KwImport)
                 .Case("in", Tok::KwIn)
                 .Case("none", Tok::KwNone)
                 .Case("not", Tok::KwNot)
                 .Case("or", Tok::KwOr)
                 .Case("true", Tok::KwTrue)
                 .Default(Tok::Ident);
  return make(kind, begin);
}

Token Lexer::lexString(uint32_t begin, bool isContinuation) {
  while (pos < text.size() && text[pos] != '\n') {
    char c = text[pos++];
    if (c == '"')
      return make(isContinuation ? Tok::StringTail : Tok::String, begin);
    if (c == '{') {
      interpolations.push_back(0);
      return make(isContinuation ? Tok::StringMid : Tok::StringHead, begin);
    }
    if (c == '\\' && pos < text.size() && text[pos] != '\n')
      ++pos;
  }
  return make(Tok::UnterminatedString, begin);
}

Token Lexer::next() {
  for (; pos < text.size(); ++pos) {
    char c = text[pos];
    if (c == '\n')
      atLineStart = true;
    else if (c == '#')
      pos = std::min(text.find('\n', pos), text.size()) - 1;
    else if (c != ' ' && c != '\t' && c != '\r')
      break;
  }
  uint32_t begin = pos;
  if (pos == text.size())
    return make(Tok::Eof, begin);

  char c = text[pos++];
  if (llvm::isDigit(c))
    return lexNumber(begin);
  if (llvm::isAlpha(c) || c == '_')
    return lexWord(begin);

  auto either = [&](char second, Tok both, Tok alone) {
    if (pos < text.size() && text[pos] == second) {
      ++pos;
      return make(both, begin);
    }
    return make(alone, begin);
  };
  switch (c) {
  case '"':
    return lexString(begin, /*isContinuation=*/false);
  case '(':
    return make(Tok::LParen, begin);
  case ')':
    return make(Tok::RParen, begin);
  case '[':
    return make(Tok::LBracket, begin);
  case ']':
    return make(Tok::RBracket, begin);
  case '{':
    if (!interpolations.empty())
      ++interpolations.back();
    return make(Tok::LBrace, begin);
  case '}':
    if (!interpolations.empty() && interpolations.back()-- == 0) {
      interpolations.pop_back();
      return lexString(begin, /*isContinuation=*/true);
    }
    return make(Tok::RBrace, begin);
  case ',':
    return make(Tok::Comma, begin);
  case ':':
    return make(Tok::Colon, begin);
  case ';':
    return make(Tok::Semicolon, begin);
  case '?':
    return make(Tok::Question, begin);
  case '+':
    return make(Tok::Plus, begin);
  case '%':
    return make(Tok::Percent, begin);
  case '@':
    return make(Tok::At, begin);
  case '-':
    return either('>', Tok::Arrow, Tok::Minus);
  case '|':
    return either('>', Tok::Pipe, Tok::Error);
  case '*':
    return either('*', Tok::StarStar, Tok::Star);
  case '/':
    return either('/', Tok::SlashSlash, Tok::Slash);
  case '=':
    return either('=', Tok::EqEq, Tok::Assign);
  case '!':
    return either('=', Tok::NotEq, Tok::Error);
  case '<':
    return either('=', Tok::LessEq, Tok::Less);
  case '>':
    return either('=', Tok::GreaterEq, Tok::Greater);
  default:
    return make(Tok::Error, begin);
  }
}
