//===- ParserExpr.cpp - Parser of the architecture language: expressions --===//
//
// Operator precedence on explicit stacks. From loosest to tightest:
//
//   |>    or    and    not    == != < <= > >=    + -    * / // % @    - (prefix)    **    call, index, as
//
// The right side of `|>` is one call, so `a |> f + b` adds b to what f returned.
//
//===----------------------------------------------------------------------===//

#include "Parser.h"

using namespace espalier::dsl;
using llvm::ArrayRef;
using llvm::StringRef;

namespace {
constexpr unsigned notPrecedence = 3;
constexpr unsigned comparePrecedence = 4;
constexpr unsigned negPrecedence = 7;
constexpr unsigned powPrecedence = 8;

struct BinaryOp {
  Op op;
  uint8_t precedence;
};

BinaryOp binaryOp(Tok kind) {
  switch (kind) {
  case Tok::KwOr:
    return {Op::Or, 1};
  case Tok::KwAnd:
    return {Op::And, 2};
  case Tok::EqEq:
    return {Op::Eq, comparePrecedence};
  case Tok::NotEq:
    return {Op::Ne, comparePrecedence};
  case Tok::Less:
    return {Op::Lt, comparePrecedence};
  case Tok::LessEq:
    return {Op::Le, comparePrecedence};
  case Tok::Greater:
    return {Op::Gt, comparePrecedence};
  case Tok::GreaterEq:
    return {Op::Ge, comparePrecedence};
  case Tok::Plus:
    return {Op::Add, 5};
  case Tok::Minus:
    return {Op::Sub, 5};
  case Tok::Star:
    return {Op::Mul, 6};
  case Tok::Slash:
    return {Op::Div, 6};
  case Tok::SlashSlash:
    return {Op::FloorDiv, 6};
  case Tok::Percent:
    return {Op::Mod, 6};
  case Tok::At:
    return {Op::MatMul, 6};
  case Tok::StarStar:
    return {Op::Pow, powPrecedence};
  default:
    return {Op::None, 0};
  }
}
} // namespace

StringRef espalier::dsl::spelling(Op op) {
  static constexpr const char *spellings[] = {"",  "-",  "not", "+", "-",  "*", "/",  "//",  "%", "**",
                                              "@", "==", "!=",  "<", "<=", ">", ">=", "and", "or"};
  return spellings[unsigned(op)];
}

Node *Parser::parseExpr() {
  ExprBase base{pending.size(), operands.size(), names.size()};
  Node *result = nullptr;
  bool wantOperand = true;
  while (true) {
    if (wantOperand) {
      if (!parseOperand(base, wantOperand))
        break;
      continue;
    }
    bool done = false;
    if (!parseOperator(base, wantOperand, done))
      break;
    if (!done)
      continue;
    reduceWhile(base, 0, /*rightAssociative=*/false);
    if (base.openBrackets > 0) {
      const Pending &open = pending.back();
      static constexpr const char *closers[] = {"", "", "')'", "']'", "')'", "']'", "'}'", ""};
      bool isList = open.kind != Pending::Interpolation && open.kind != Pending::Index;
      std::string what = std::string(isList ? "',' or " : "") + closers[open.kind];
      if (tok.kind == Tok::UnterminatedString || tok.kind == Tok::Error)
        expected(what);
      else if (tok.kind == Tok::KwFor && open.kind == Pending::List)
        error(tok.offset, Diag::LoopInList);
      else
        error(tok.offset, Diag::ExpectedToken, what, found())
            .note(file.source.locationAt(open.offset), Diag::OpenedHere);
      break;
    }
    result = operands.back();
    break;
  }
  if (!result)
    bracketsAtError = base.openBrackets;
  pending.resize(base.pending);
  operands.resize(base.operands);
  names.resize(base.names);
  return result;
}

bool Parser::parseOperand(ExprBase &base, bool &wantOperand) {
  Token token = tok;
  Node *node = nullptr;
  switch (token.kind) {
  case Tok::Int:
  case Tok::Float:
    node = makeNumber(token);
    break;
  case Tok::KwTrue:
  case Tok::KwFalse:
    node = make(NodeKind::Bool, token.offset);
    node->intValue = token.kind == Tok::KwTrue;
    break;
  case Tok::KwNone:
    node = make(NodeKind::None, token.offset);
    break;
  case Tok::String:
    node = makeString(token);
    break;
  case Tok::Ident:
    node = makeName(token);
    break;
  case Tok::KwIf:
    node = parseIf();
    wantOperand = false;
    return node && completeOperand(base, node);
  case Tok::Minus:
    advance();
    pending.push_back({Pending::Prefix, Op::Neg, negPrecedence, false, token.offset});
    return true;
  case Tok::KwNot:
    advance();
    pending.push_back({Pending::Prefix, Op::Not, notPrecedence, false, token.offset});
    return true;
  case Tok::LParen:
    advance();
    openBracket(base, Pending::Paren, token.offset);
    wantOperand = tok.kind != Tok::RParen;
    return true;
  case Tok::LBracket:
    advance();
    openBracket(base, Pending::List, token.offset);
    wantOperand = tok.kind != Tok::RBracket;
    return true;
  case Tok::StringHead:
    advance();
    openBracket(base, Pending::Interpolation, token.offset);
    operands.push_back(makeString(token));
    return true;
  default:
    expected("an expression");
    return false;
  }
  advance();
  wantOperand = false;
  return completeOperand(base, node);
}

/// Pushes a finished operand; if a label was expected, gives it to its call.
bool Parser::completeOperand(const ExprBase &base, Node *node) {
  operands.push_back(node);
  if (pending.size() == base.pending || pending.back().kind != Pending::Label)
    return true;
  pending.pop_back();
  operands.pop_back();
  Node *call = operands.back();
  llvm::SmallVector<Node *> children(call->children);
  children.push_back(node);
  call->children = copy(ArrayRef(children));
  call->hasLabel = true;
  return true;
}

void Parser::openBracket(ExprBase &base, Pending::Kind kind, uint32_t offset) {
  Pending open{kind};
  open.offset = offset;
  open.operandBase = operands.size();
  open.nameBase = names.size();
  pending.push_back(open);
  ++base.openBrackets;
}

/// At the start of an argument: notes its name, if it has one.
void Parser::beginArgument() {
  StringRef name;
  if (tok.kind == Tok::Ident && peek().kind == Tok::Assign) {
    name = tok.text;
    advance();
    advance();
  } else if (names.size() > pending.back().nameBase && !names.back().empty()) {
    error(tok.offset, Diag::PositionalAfterNamed);
  }
  names.push_back(name);
}

bool Parser::parseOperator(ExprBase &base, bool &wantOperand, bool &done) {
  // Outside brackets a line ends the expression unless the next one goes on with something that cannot start one.
  bool mayContinueWithOpener = base.openBrackets > 0 || !tok.startsLine;
  switch (tok.kind) {
  case Tok::RParen:
  case Tok::RBracket:
  case Tok::StringMid:
  case Tok::StringTail:
    if (base.openBrackets > 0)
      return closeBracket(base, wantOperand);
    done = true;
    return true;
  case Tok::Comma: {
    if (base.openBrackets == 0) {
      done = true;
      return true;
    }
    reduceWhile(base, 0, /*rightAssociative=*/false);
    Pending &open = pending.back();
    if (open.kind == Pending::Index || open.kind == Pending::Interpolation) {
      done = true;
      return true;
    }
    open.sawComma = true;
    advance();
    bool closes = tok.kind == (open.kind == Pending::List ? Tok::RBracket : Tok::RParen);
    if (!closes && open.kind == Pending::Call)
      beginArgument();
    wantOperand = !closes;
    return true;
  }
  case Tok::LParen: {
    if (!mayContinueWithOpener)
      break;
    uint32_t offset = tok.offset;
    advance();
    openBracket(base, Pending::Call, offset);
    // The callee is the first operand of the call.
    --pending.back().operandBase;
    if (tok.kind != Tok::RParen)
      beginArgument();
    wantOperand = tok.kind != Tok::RParen || names.size() > pending.back().nameBase;
    return true;
  }
  case Tok::LBracket: {
    if (!mayContinueWithOpener)
      break;
    uint32_t offset = tok.offset;
    advance();
    openBracket(base, Pending::Index, offset);
    --pending.back().operandBase;
    wantOperand = true;
    return true;
  }
  case Tok::KwAs: {
    Node *call = operands.back();
    uint32_t offset = tok.offset;
    if (call->kind != NodeKind::Call) {
      error(offset, Diag::BadLabel);
      return false;
    }
    if (call->hasLabel) {
      error(offset, Diag::SecondLabel);
      return false;
    }
    advance();
    if (tok.kind == Tok::Ident) {
      Node *label = make(NodeKind::String, tok.offset);
      label->text = tok.text;
      pending.push_back({Pending::Label});
      advance();
      return completeOperand(base, label);
    }
    if (tok.kind != Tok::String && tok.kind != Tok::StringHead) {
      expected("a name or a string as label");
      return false;
    }
    pending.push_back({Pending::Label});
    wantOperand = true;
    return true;
  }
  case Tok::Pipe: {
    reduceWhile(base, 0, /*rightAssociative=*/false);
    advance();
    wantOperand = false;
    return parsePipeStage(base, wantOperand);
  }
  default:
    break;
  }

  BinaryOp binary = binaryOp(tok.kind);
  if (binary.op == Op::None || (tok.kind == Tok::Minus && !mayContinueWithOpener)) {
    done = true;
    return true;
  }
  uint32_t offset = tok.offset;
  reduceWhile(base, binary.precedence, /*rightAssociative=*/binary.op == Op::Pow);
  Node *left = operands.back();
  bool isComparison = binary.precedence == comparePrecedence;
  if (isComparison && left->isOpenComparison) {
    error(offset, Diag::ChainedComparison);
    return false;
  }
  advance();
  pending.push_back({Pending::Binary, binary.op, binary.precedence, false, offset});
  wantOperand = true;
  return true;
}

/// `left |> name`, or the opening of `left |> name(...)`.
bool Parser::parsePipeStage(ExprBase &base, bool &wantOperand) {
  Token name = tok;
  if (!expect(Tok::Ident, "the name of a block or function after '|>'"))
    return false;
  Node *left = operands.back();
  operands.back() = makeName(name);
  operands.push_back(left);
  openBracket(base, Pending::Call, name.offset);
  pending.back().operandBase -= 2;
  names.push_back("");
  if (tok.kind == Tok::LParen && !tok.startsLine) {
    advance();
    if (tok.kind != Tok::RParen)
      beginArgument();
    wantOperand = tok.kind != Tok::RParen || names.size() > pending.back().nameBase + 1;
    return true;
  }
  finishCall(base);
  return true;
}

/// Turns the operands of the call on top of the stacks into a node.
void Parser::finishCall(ExprBase &base) {
  Pending open = pending.back();
  pending.pop_back();
  --base.openBrackets;
  Node *callee = operands[open.operandBase];
  Node *call = make(NodeKind::Call,
                    callee->kind == NodeKind::Local || callee->kind == NodeKind::Global ? callee->offset : open.offset);
  call->children = copy(ArrayRef(operands).drop_front(open.operandBase));
  call->argNames = copy(ArrayRef(names).drop_front(open.nameBase));
  operands.resize(open.operandBase);
  names.resize(open.nameBase);
  completeOperand(base, call);
}

bool Parser::closeBracket(ExprBase &base, bool &wantOperand) {
  reduceWhile(base, 0, /*rightAssociative=*/false);
  Pending open = pending.back();
  Tok closer = Tok::RParen;
  if (open.kind == Pending::List || open.kind == Pending::Index)
    closer = Tok::RBracket;
  bool matches = open.kind == Pending::Interpolation ? tok.kind == Tok::StringMid || tok.kind == Tok::StringTail
                                                     : tok.kind == closer;
  if (!matches) {
    error(tok.offset, Diag::ExpectedToken,
          open.kind == Pending::Interpolation ? "'}'"
          : closer == Tok::RParen             ? "')'"
                                              : "']'",
          found())
        .note(file.source.locationAt(open.offset), Diag::OpenedHere);
    return false;
  }
  Token token = tok;
  advance();
  if (open.kind == Pending::Call) {
    finishCall(base);
    return true;
  }
  ArrayRef<Node *> items = ArrayRef(operands).drop_front(open.operandBase);
  if (open.kind == Pending::Interpolation) {
    operands.push_back(makeString(token));
    wantOperand = token.kind == Tok::StringMid;
    if (wantOperand)
      return true;
    items = ArrayRef(operands).drop_front(open.operandBase);
  }
  pending.pop_back();
  --base.openBrackets;
  Node *node;
  if (open.kind == Pending::Paren && items.size() == 1 && !open.sawComma) {
    node = items.front();
    // `(a < b) < c` is no chain.
    node->isOpenComparison = false;
  } else {
    NodeKind kind = open.kind == Pending::Paren   ? NodeKind::Tuple
                    : open.kind == Pending::List  ? NodeKind::List
                    : open.kind == Pending::Index ? NodeKind::Index
                                                  : NodeKind::Interpolation;
    node = make(kind, open.offset);
    node->children = copy(items);
  }
  operands.resize(open.operandBase);
  return completeOperand(base, node);
}

/// Applies the pending operators down to the innermost bracket that bind at least as tightly as `precedence`
/// (tighter, if it is right associative).
void Parser::reduceWhile(const ExprBase &base, unsigned precedence, bool rightAssociative) {
  while (pending.size() > base.pending && !pending.back().isBracket() &&
         pending.back().precedence >= precedence + rightAssociative)
    reduceTop();
}

void Parser::reduceTop() {
  Pending top = pending.back();
  pending.pop_back();
  size_t arity = top.kind == Pending::Prefix ? 1 : 2;
  NodeKind kind = arity == 1                              ? NodeKind::Unary
                  : top.op == Op::And || top.op == Op::Or ? NodeKind::Logical
                                                          : NodeKind::Binary;
  Node *node = make(kind, top.offset);
  node->op = top.op;
  node->isOpenComparison = arity == 2 && top.precedence == comparePrecedence;
  node->children = copy(ArrayRef(operands).take_back(arity));
  operands.resize(operands.size() - arity);
  operands.push_back(node);
}
