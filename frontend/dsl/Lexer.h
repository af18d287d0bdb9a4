//===- Lexer.h - Tokens of the architecture language ------------*- C++ -*-===//

#ifndef ESPALIER_FRONTEND_DSL_LEXER_H
#define ESPALIER_FRONTEND_DSL_LEXER_H

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>

namespace espalier::dsl {

enum class Tok : uint8_t {
  Eof,
  /// A byte that starts no token, or an unterminated string; the spelling says which.
  Error,
  UnterminatedString,
  Ident,
  Int,
  Float,
  /// `"text"`
  String,
  /// `"text{`, `}text{` and `}text"`: the pieces around the expressions of an interpolated string.
  StringHead,
  StringMid,
  StringTail,
  // Keywords.
  KwAnd,
  KwArch,
  KwAs,
  KwBlock,
  KwElse,
  KwFalse,
  KwFn,
  KwFor,
  KwIf,
  KwImport,
  KwIn,
  KwNone,
  KwNot,
  KwOr,
  KwTrue,
  // Punctuation and operators.
  LParen,
  RParen,
  LBracket,
  RBracket,
  LBrace,
  RBrace,
  Comma,
  Colon,
  Semicolon,
  Question,
  Assign,
  Arrow,
  Pipe,
  Plus,
  Minus,
  Star,
  StarStar,
  Slash,
  SlashSlash,
  Percent,
  At,
  EqEq,
  NotEq,
  Less,
  LessEq,
  Greater,
  GreaterEq,
};

struct Token {
  Tok kind = Tok::Eof;
  /// First token of its line: where a statement may end without a separator.
  bool startsLine = false;
  uint32_t offset = 0;
  /// The source text, quotes and braces of strings included.
  llvm::StringRef text;
};

/// Splits a file into tokens on demand. Interpolated strings nest on an explicit stack.
class Lexer {
public:
  explicit Lexer(llvm::StringRef text) : text(text) {}

  Token next();

private:
  Token make(Tok kind, uint32_t begin);
  Token lexNumber(uint32_t begin);
  Token lexWord(uint32_t begin);
  /// Lexes from behind an opening quote (or the brace that ends an interpolation) to the closing quote or the next
  /// interpolation.
  Token lexString(uint32_t begin, bool isContinuation);

  llvm::StringRef text;
  uint32_t pos = 0;
  bool atLineStart = true;
  /// For every interpolation being lexed: the braces open inside it.
  llvm::SmallVector<uint32_t, 4> interpolations;
};

} // namespace espalier::dsl

#endif // ESPALIER_FRONTEND_DSL_LEXER_H
