//===- Parser.cpp - Parser of the architecture language: statements -------===//

#include "Parser.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include <algorithm>
#include <cmath>

using namespace espalier::dsl;
using llvm::ArrayRef;
using llvm::SmallVector;
using llvm::SmallVectorImpl;
using llvm::StringRef;

StringRef espalier::dsl::describe(DeclKind kind) {
  static constexpr const char *names[] = {"block", "arch", "fn", "constant"};
  return names[unsigned(kind)];
}

//===----------------------------------------------------------------------===//
// Tokens
//===----------------------------------------------------------------------===//

void Parser::advance() {
  if (ahead) {
    tok = *ahead;
    ahead.reset();
  } else {
    tok = lexer.next();
  }
}

Token &Parser::peek() {
  if (!ahead)
    ahead = lexer.next();
  return *ahead;
}

bool Parser::consumeIf(Tok kind) {
  if (tok.kind != kind)
    return false;
  advance();
  return true;
}

std::string Parser::found() const {
  if (tok.kind == Tok::Eof)
    return "the end of the file";
  StringRef text = tok.text.take_front(32);
  return ("'" + text + (text.size() < tok.text.size() ? "...'" : "'")).str();
}

/// Reports that the current token is not `what`, or what is wrong with the token itself.
void Parser::expected(StringRef what) {
  if (tok.kind == Tok::UnterminatedString) {
    error(tok.offset, Diag::UnterminatedString);
  } else if (tok.kind == Tok::Error) {
    unsigned char byte = tok.text.front();
    error(tok.offset, Diag::UnexpectedByte,
          llvm::isPrint(byte) ? std::string("'") + char(byte) + "'" : "0x" + llvm::utohexstr(byte, /*LowerCase=*/true));
  } else {
    error(tok.offset, Diag::ExpectedToken, what, found());
  }
}

bool Parser::expect(Tok kind, StringRef what) {
  if (consumeIf(kind))
    return true;
  expected(what);
  return false;
}

//===----------------------------------------------------------------------===//
// Nodes and names
//===----------------------------------------------------------------------===//

Node *Parser::make(NodeKind kind, uint32_t offset) {
  Node *node = new (arena.Allocate<Node>()) Node;
  node->kind = kind;
  node->offset = offset;
  return node;
}

uint32_t Parser::slotOf(StringRef name) { return scopes.count(name) ? scopes.lookup(name) : DimPattern::noSlot; }

uint32_t Parser::declare(StringRef name) {
  scopes.insert(name, slots.size());
  slots.push_back(name);
  return slots.size() - 1;
}

Node *Parser::makeName(Token token) {
  uint32_t slot = slotOf(token.text);
  Node *node = make(slot == DimPattern::noSlot ? NodeKind::Global : NodeKind::Local, token.offset);
  node->text = token.text;
  if (node->kind == NodeKind::Local)
    node->slot = slot;
  else
    file.uses.push_back({node, current, nullptr});
  return node;
}

Node *Parser::makeNumber(Token token) {
  std::string digits = token.text.str();
  digits.erase(std::remove(digits.begin(), digits.end(), '_'), digits.end());
  Node *node = make(token.kind == Tok::Int ? NodeKind::Int : NodeKind::Float, token.offset);
  if (token.kind == Tok::Int) {
    if (StringRef(digits).getAsInteger(10, node->intValue))
      error(token.offset, Diag::IntegerTooLarge, digits);
    return node;
  }
  double value = 0;
  if (StringRef(digits).getAsDouble(value) || !std::isfinite(value))
    error(token.offset, Diag::FloatOutOfRange, digits);
  node->floatValue = value;
  return node;
}

StringRef Parser::unescape(Token token) {
  StringRef text = token.text.drop_front().drop_back();
  if (!text.contains('\\'))
    return text;
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      result += text[i];
      continue;
    }
    char c = text[++i];
    switch (c) {
    case 'n':
      result += '\n';
      break;
    case 't':
      result += '\t';
      break;
    case '"':
    case '\\':
    case '{':
    case '}':
      result += c;
      break;
    default:
      error(token.offset + i, Diag::UnknownEscape, std::string(1, c));
    }
  }
  return StringRef(result).copy(arena);
}

Node *Parser::makeString(Token token) {
  Node *node = make(NodeKind::String, token.offset);
  node->text = unescape(token);
  return node;
}

//===----------------------------------------------------------------------===//
// Declarations
//===----------------------------------------------------------------------===//

void Parser::parseFile() {
  while (tok.kind != Tok::Eof && !diags.exhausted() && !abandoned) {
    switch (tok.kind) {
    case Tok::Semicolon:
      advance();
      break;
    case Tok::KwImport:
      parseImport();
      break;
    case Tok::KwBlock:
      parseDecl(DeclKind::Block);
      break;
    case Tok::KwArch:
      parseDecl(DeclKind::Arch);
      break;
    case Tok::KwFn:
      parseDecl(DeclKind::Fn);
      break;
    case Tok::Ident:
      if (peek().kind == Tok::Assign) {
        parseConstant();
        break;
      }
      [[fallthrough]];
    default:
      if (tok.kind == Tok::Error || tok.kind == Tok::UnterminatedString)
        expected("a declaration");
      else
        error(tok.offset, Diag::ExpectedDeclaration, found());
      advance();
      synchronizeDecl();
    }
  }
}

/// Skips to what looks like the next declaration.
void Parser::synchronizeDecl() {
  unsigned depth = 0;
  for (; tok.kind != Tok::Eof; advance()) {
    if (tok.startsLine) {
      if (tok.kind == Tok::KwBlock || tok.kind == Tok::KwArch || tok.kind == Tok::KwFn || tok.kind == Tok::KwImport)
        return;
      if (depth == 0 && tok.kind == Tok::Ident && peek().kind == Tok::Assign)
        return;
    }
    if (tok.kind == Tok::LBrace || tok.kind == Tok::LParen || tok.kind == Tok::LBracket)
      ++depth;
    if ((tok.kind == Tok::RBrace || tok.kind == Tok::RParen || tok.kind == Tok::RBracket) && depth > 0)
      --depth;
  }
}

void Parser::parseImport() {
  uint32_t offset = tok.offset;
  advance();
  Token path = tok;
  if (!expect(Tok::String, "the path of a file in quotes"))
    return synchronizeDecl();
  if (!file.decls.empty())
    error(offset, Diag::LateImport);
  file.imports.push_back({unescape(path), path.offset});
}

/// Registers the declaration named by the current token, before its body parses: uses elsewhere are not unknown
/// because of an error in it.
Decl *Parser::beginDecl(DeclKind kind) {
  current = new (arena.Allocate<Decl>()) Decl;
  current->kind = kind;
  current->name = tok.text;
  current->offset = tok.offset;
  current->source = &file.source;
  file.decls.push_back(current);
  slots.clear();
  return current;
}

void Parser::finishDecl() { current->slots = copy(ArrayRef(slots)); }

void Parser::parseConstant() {
  Scopes::ScopeTy scope(scopes);
  Decl *decl = beginDecl(DeclKind::Constant);
  advance();
  advance();
  decl->body = parseExpr();
  finishDecl();
  if (!decl->body)
    synchronizeDecl();
  else if (!tok.startsLine && tok.kind != Tok::Eof && tok.kind != Tok::Semicolon) {
    expected("the end of the line after a constant");
    synchronizeDecl();
  }
}

void Parser::parseDecl(DeclKind kind) {
  advance();
  if (tok.kind != Tok::Ident) {
    expected("a name");
    return synchronizeDecl();
  }
  Scopes::ScopeTy scope(scopes);
  Decl *decl = beginDecl(kind);
  advance();
  if (!parseParams(*decl))
    return synchronizeDecl();
  if (consumeIf(Tok::Arrow)) {
    // A name that only results use is no name of the body: there it may be a constant.
    Scopes::ScopeTy resultScope(scopes);
    SmallVector<TypeExpr> results;
    decl->returnsTuple = consumeIf(Tok::LParen);
    do {
      std::optional<TypeExpr> type = parseType();
      if (!type)
        return synchronizeDecl();
      results.push_back(*type);
    } while (decl->returnsTuple && consumeIf(Tok::Comma));
    if (decl->returnsTuple && !expect(Tok::RParen, "')' after the result types"))
      return synchronizeDecl();
    decl->results = copy(ArrayRef(results));
  }
  decl->body = parseBlock();
  finishDecl();
  if (!decl->body)
    synchronizeDecl();
}

bool Parser::parseParams(Decl &decl) {
  if (!expect(Tok::LParen, "'(' after the name"))
    return false;
  SmallVector<Param> params;
  llvm::DenseMap<StringRef, uint32_t> seen;
  while (tok.kind != Tok::RParen) {
    Param param{tok.text, tok.offset, 0, {}, nullptr};
    if (!expect(Tok::Ident, "the name of a parameter"))
      return false;
    auto [first, isNew] = seen.try_emplace(param.name, param.offset);
    if (!isNew)
      error(param.offset, Diag::RepeatedParameter, param.name)
          .note(file.source.locationAt(first->second), Diag::DefinedHere);
    if (consumeIf(Tok::Colon)) {
      std::optional<TypeExpr> type = parseType();
      if (!type)
        return false;
      param.type = *type;
    }
    if (consumeIf(Tok::Assign)) {
      // The default may use the parameters before it, not itself.
      param.defaultValue = parseExpr();
      if (!param.defaultValue)
        return false;
    } else if (!params.empty() && params.back().defaultValue) {
      error(param.offset, Diag::RequiredAfterDefault, param.name, params.back().name);
    }
    param.slot = declare(param.name);
    params.push_back(param);
    if (!consumeIf(Tok::Comma))
      break;
  }
  decl.params = copy(ArrayRef(params));
  return expect(Tok::RParen, "',' or ')' after a parameter");
}

std::optional<TypeExpr> Parser::parseType() {
  TypeExpr type;
  type.offset = tok.offset;
  Token name = tok;
  if (!expect(Tok::Ident, "a type"))
    return std::nullopt;
  static constexpr StringRef known[] = {"int",   "float", "bool",     "string", "list", "tuple",
                                        "dtype", "init",  "callable", "tensor", "f16",  "bf16",
                                        "f32",   "f64",   "i1",       "i8",     "i32",  "i64"};
  const StringRef *it = llvm::find(known, name.text);
  if (it == std::end(known)) {
    error(name.offset, Diag::UnknownType, name.text, didYouMean(name.text, known));
    return std::nullopt;
  }
  static constexpr TypeKind kinds[] = {TypeKind::Int,    TypeKind::Float, TypeKind::Bool,
                                       TypeKind::String, TypeKind::List,  TypeKind::Tuple,
                                       TypeKind::DType,  TypeKind::Init,  TypeKind::Callable};
  size_t index = it - std::begin(known);
  if (index < std::size(kinds)) {
    type.kind = kinds[index];
    return type;
  }
  type.kind = TypeKind::Tensor;
  if (name.text != "tensor")
    type.element = name.text;
  if (tok.kind != Tok::LBracket || tok.startsLine)
    return type;
  advance();
  type.hasDims = true;
  SmallVector<DimPattern *> dims;
  while (tok.kind != Tok::RBracket) {
    DimPattern *dim = parseDim();
    if (!dim)
      return std::nullopt;
    dims.push_back(dim);
    if (!consumeIf(Tok::Comma))
      break;
  }
  if (!expect(Tok::RBracket, "',' or ']' after an extent"))
    return std::nullopt;
  type.dims = copy(ArrayRef(dims));
  return type;
}

DimPattern *Parser::parseDim() {
  auto *dim = new (arena.Allocate<DimPattern>()) DimPattern{DimPattern::noSlot, nullptr, "", tok.offset};
  dim->expr = parseExpr();
  if (!dim->expr)
    return nullptr;
  if (dim->expr->kind == NodeKind::Local) {
    dim->slot = dim->expr->slot;
    dim->name = dim->expr->text;
    dim->expr = nullptr;
  } else if (dim->expr->kind == NodeKind::Global && dim->expr->text == "_") {
    file.uses.pop_back();
    dim->expr = nullptr;
  } else if (dim->expr->kind == NodeKind::Global) {
    dim->name = dim->expr->text;
    dim->slot = declare(dim->name);
    file.uses.back().dim = dim;
  }
  return dim;
}

//===----------------------------------------------------------------------===//
// Statements
//===----------------------------------------------------------------------===//

/// What encloses the current token cannot be parsed: drops the rest of the file without a further word.
Node *Parser::abandon() {
  abandoned = true;
  ahead.reset();
  tok = Token{};
  --nesting;
  return nullptr;
}

Node *Parser::parseBlock() {
  uint32_t open = tok.offset;
  if (!expect(Tok::LBrace, "'{'"))
    return nullptr;
  if (++nesting > maxNesting) {
    error(open, Diag::NestingTooDeep, maxNesting);
    return abandon();
  }
  llvm::scope_exit leave([&] { --nesting; });
  Scopes::ScopeTy scope(scopes);
  SmallVector<Node *> statements;
  while (tok.kind != Tok::RBrace && !diags.exhausted() && !abandoned) {
    if (consumeIf(Tok::Semicolon))
      continue;
    if (tok.kind == Tok::Eof || tok.kind == Tok::KwBlock || tok.kind == Tok::KwArch || tok.kind == Tok::KwFn ||
        tok.kind == Tok::KwImport) {
      error(tok.offset, Diag::ExpectedToken, "'}'", found()).note(file.source.locationAt(open), Diag::OpenedHere);
      return nullptr;
    }
    uint32_t begin = tok.offset;
    bracketsAtError = 0;
    Node *statement = parseStatement();
    if (statement && !tok.startsLine && tok.kind != Tok::RBrace && tok.kind != Tok::Semicolon && tok.kind != Tok::Eof) {
      expected("the end of the line after a statement");
      statement = nullptr;
    }
    if (statement)
      statements.push_back(statement);
    else
      synchronizeStatement(begin);
  }
  if (!consumeIf(Tok::RBrace))
    return nullptr;
  Node *block = make(NodeKind::Block, open);
  block->children = copy(ArrayRef(statements));
  return block;
}

/// Skips the rest of a statement: the brackets that were open in it, then to the end of the line. Braces are always
/// balanced, a declaration always stops.
void Parser::synchronizeStatement(uint32_t statementBegin) {
  unsigned braces = 0;
  bool moved = tok.offset != statementBegin;
  for (; tok.kind != Tok::Eof; advance(), moved = true) {
    switch (tok.kind) {
    case Tok::KwBlock:
    case Tok::KwArch:
    case Tok::KwFn:
    case Tok::KwImport:
      if (tok.startsLine)
        return;
      break;
    case Tok::LBrace:
      ++braces;
      break;
    case Tok::RBrace:
      if (braces == 0)
        return;
      --braces;
      break;
    case Tok::LParen:
    case Tok::LBracket:
      ++bracketsAtError;
      break;
    case Tok::RParen:
    case Tok::RBracket:
      bracketsAtError -= bracketsAtError > 0;
      break;
    default:
      if (moved && tok.startsLine && braces == 0 && bracketsAtError == 0)
        return;
    }
  }
}

Node *Parser::parseStatement() {
  if (tok.kind == Tok::KwFor)
    return parseFor();
  Node *left = parseExpr();
  if (!left || (tok.kind != Tok::Assign && tok.kind != Tok::Comma))
    return left;
  // `a, b = ...` takes its value apart like `(a, b) = ...`.
  SmallVector<Node *> names{left};
  while (consumeIf(Tok::Comma)) {
    Node *name = parseExpr();
    if (!name)
      return nullptr;
    names.push_back(name);
  }
  if (names.size() > 1) {
    left = make(NodeKind::Tuple, left->offset);
    left->children = copy(ArrayRef(names));
  }
  if (tok.kind != Tok::Assign) {
    expected("'=' after a list of names");
    return nullptr;
  }
  return finishAssign(left);
}

/// `left` has been parsed as an expression; its names become targets.
Node *Parser::finishAssign(Node *left) {
  ArrayRef<Node *> names = left->kind == NodeKind::Tuple ? left->children : ArrayRef(left);
  if (names.empty() || !llvm::all_of(names, [](Node *node) {
        return node->kind == NodeKind::Local || node->kind == NodeKind::Global;
      })) {
    error(tok.offset, Diag::BadTarget);
    return nullptr;
  }
  // The names are not uses; they were the last ones noted.
  file.uses.resize(file.uses.size() - llvm::count_if(names, [](Node *node) { return node->kind == NodeKind::Global; }));
  uint32_t offset = tok.offset;
  advance();
  Node *value = parseExpr();
  SmallVector<Target> targets;
  for (Node *name : names) {
    uint32_t slot = slotOf(name->text);
    targets.push_back({slot == DimPattern::noSlot ? declare(name->text) : slot, name->offset});
  }
  if (!value)
    return nullptr;
  Node *node = make(NodeKind::Assign, offset);
  node->targets = copy(ArrayRef(targets));
  node->destructures = left->kind == NodeKind::Tuple;
  node->children = copy(ArrayRef(value));
  return node;
}

Node *Parser::parseFor() {
  uint32_t offset = tok.offset;
  advance();
  SmallVector<Token> names;
  bool inParens = consumeIf(Tok::LParen);
  do {
    names.push_back(tok);
    if (!expect(Tok::Ident, "the name of a loop variable"))
      return nullptr;
  } while (consumeIf(Tok::Comma));
  if (inParens && !expect(Tok::RParen, "',' or ')' after a loop variable"))
    return nullptr;
  bool destructures = inParens || names.size() > 1;
  if (!expect(Tok::KwIn, "'in'"))
    return nullptr;
  Node *iterable = parseExpr();
  if (!iterable)
    return nullptr;
  Scopes::ScopeTy scope(scopes);
  SmallVector<Target> targets;
  for (Token &name : names)
    targets.push_back({declare(name.text), name.offset});
  Node *body = parseBlock();
  if (!body)
    return nullptr;
  Node *node = make(NodeKind::For, offset);
  node->targets = copy(ArrayRef(targets));
  node->destructures = destructures;
  Node *children[] = {iterable, body};
  node->children = copy(ArrayRef<Node *>(children));
  return node;
}

Node *Parser::parseIf() {
  uint32_t offset = tok.offset;
  // A condition may start with `if` without a brace between.
  if (++nesting > maxNesting) {
    error(offset, Diag::NestingTooDeep, maxNesting);
    return abandon();
  }
  llvm::scope_exit leave([&] { --nesting; });
  SmallVector<Node *> children;
  while (true) {
    advance();
    Node *condition = parseExpr();
    Node *block = condition ? parseBlock() : nullptr;
    if (!block)
      return nullptr;
    children.push_back(condition);
    children.push_back(block);
    if (!consumeIf(Tok::KwElse))
      break;
    if (tok.kind == Tok::KwIf)
      continue;
    Node *otherwise = parseBlock();
    if (!otherwise)
      return nullptr;
    children.push_back(otherwise);
    break;
  }
  Node *node = make(NodeKind::If, offset);
  node->children = copy(ArrayRef(children));
  return node;
}
