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
  mayDefaultSizes = kind == DeclKind::Arch;
  bool hasParams = parseParams(*decl);
  mayDefaultSizes = false;
  if (!hasParams)
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
  bool isNewName = false;
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
    isNewName = true;
  }
  return tok.kind != Tok::Assign || parseDefaultSize(*dim, isNewName) ? dim : nullptr;
}

/// `= 224` behind a size.
bool Parser::parseDefaultSize(DimPattern &dim, bool isNewName) {
  uint32_t offset = tok.offset;
  advance();
  if (!mayDefaultSizes)
    error(offset, Diag::SizeDefaultPlace);
  else if (!isNewName)
    error(offset, Diag::SizeDefaultName);
  Token number = tok;
  if (!expect(Tok::Int, "an integer"))
    return false;
  unsigned errorsBefore = diags.numErrors();
  dim.defaultSize = makeNumber(number)->intValue;
  if (dim.defaultSize < 1 && diags.numErrors() == errorsBefore)
    error(number.offset, Diag::SizeDefaultValue, dim.defaultSize);
  return true;
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
  uint32_t comma = tok.offset;
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
    if (tok.startsLine || tok.kind == Tok::RBrace || tok.kind == Tok::Semicolon)
      error(comma, Diag::BareTuple);
    else
      expected("'=' after a list of names");
    return nullptr;
  }
  return finishAssign(left);
}

/// Whether a node that was parsed as an expression can stand on the left of an assignment: a name, or a tuple of such.
/// Gives the number of its names that are not local yet.
std::optional<size_t> Parser::countNewNames(Node *pattern) {
  size_t count = 0;
  SmallVector<Node *> rest{pattern};
  while (!rest.empty()) {
    Node *part = rest.pop_back_val();
    if (part->kind == NodeKind::Tuple && !part->children.empty())
      rest.append(part->children.begin(), part->children.end());
    else if (part->kind == NodeKind::Global)
      ++count;
    else if (part->kind != NodeKind::Local)
      return std::nullopt;
  }
  return count;
}

/// The slots that `pattern` binds, new ones for all names if `declaresAll`. A tuple in it gets a slot without a name
/// first; `inner` receives the assignments that take it apart.
SmallVector<Target> Parser::makeTargets(Node *pattern, bool declaresAll, SmallVectorImpl<Node *> &inner) {
  struct Open {
    Node *pattern;
    uint32_t slot;
  };
  SmallVector<Target> outer;
  SmallVector<Open> queue{{pattern, DimPattern::noSlot}};
  for (size_t next = 0; next < queue.size(); ++next) {
    Open open = queue[next];
    SmallVector<Target> targets;
    for (Node *part : open.pattern->kind == NodeKind::Tuple ? open.pattern->children : ArrayRef(open.pattern)) {
      uint32_t slot = part->kind == NodeKind::Tuple || declaresAll ? DimPattern::noSlot : slotOf(part->text);
      if (part->kind == NodeKind::Tuple) {
        slot = slots.size();
        slots.push_back("");
        queue.push_back({part, slot});
      } else if (slot == DimPattern::noSlot) {
        slot = declare(part->text);
      }
      targets.push_back({slot, part->offset});
    }
    if (open.slot == DimPattern::noSlot) {
      outer = std::move(targets);
      continue;
    }
    Node *value = make(NodeKind::Local, open.pattern->offset);
    value->slot = open.slot;
    Node *assign = make(NodeKind::Assign, open.pattern->offset);
    assign->targets = copy(ArrayRef(targets));
    assign->destructures = true;
    assign->children = copy(ArrayRef(value));
    inner.push_back(assign);
  }
  return outer;
}

/// `left` has been parsed as an expression; its names become targets.
Node *Parser::finishAssign(Node *left) {
  std::optional<size_t> newNames = countNewNames(left);
  if (!newNames) {
    error(tok.offset, Diag::BadTarget);
    return nullptr;
  }
  // The names are not uses; they were the last ones noted.
  file.uses.resize(file.uses.size() - *newNames);
  uint32_t offset = tok.offset;
  advance();
  Node *value = parseExpr();
  SmallVector<Node *> statements{nullptr};
  SmallVector<Target> targets = makeTargets(left, /*declaresAll=*/false, statements);
  if (!value)
    return nullptr;
  Node *node = make(NodeKind::Assign, offset);
  node->targets = copy(ArrayRef(targets));
  node->destructures = left->kind == NodeKind::Tuple;
  node->children = copy(ArrayRef(value));
  if (statements.size() == 1)
    return node;
  statements.front() = node;
  Node *block = make(NodeKind::Block, offset);
  block->children = copy(ArrayRef(statements));
  return block;
}

Node *Parser::parseFor() {
  uint32_t offset = tok.offset;
  advance();
  SmallVector<Node *> names;
  do {
    Token first = tok;
    Node *name = tok.kind == Tok::Ident || tok.kind == Tok::LParen ? parseExpr() : nullptr;
    std::optional<size_t> newNames = name ? countNewNames(name) : std::nullopt;
    if (!newNames) {
      if (name)
        error(first.offset, Diag::ExpectedToken, "the name of a loop variable", "an expression");
      else if (tok.offset == first.offset)
        expected("the name of a loop variable");
      return nullptr;
    }
    file.uses.resize(file.uses.size() - *newNames);
    names.push_back(name);
  } while (consumeIf(Tok::Comma));
  Node *pattern = names.front();
  if (names.size() > 1) {
    pattern = make(NodeKind::Tuple, pattern->offset);
    pattern->children = copy(ArrayRef(names));
  }
  if (!expect(Tok::KwIn, "'in'"))
    return nullptr;
  Node *iterable = parseExpr();
  if (!iterable)
    return nullptr;
  Scopes::ScopeTy scope(scopes);
  SmallVector<Node *> statements;
  SmallVector<Target> targets = makeTargets(pattern, /*declaresAll=*/true, statements);
  Node *body = parseBlock();
  if (!body)
    return nullptr;
  if (!statements.empty()) {
    llvm::append_range(statements, body->children);
    body->children = copy(ArrayRef(statements));
  }
  Node *node = make(NodeKind::For, offset);
  node->targets = copy(ArrayRef(targets));
  node->destructures = pattern->kind == NodeKind::Tuple;
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
