//===- Parser.h - Parser of the architecture language -----------*- C++ -*-===//

#ifndef ESPALIER_FRONTEND_DSL_PARSER_H
#define ESPALIER_FRONTEND_DSL_PARSER_H

#include "AST.h"
#include "Diagnostics.h"
#include "Lexer.h"
#include "llvm/ADT/ScopedHashTable.h"

namespace espalier::dsl {

/// Parses one file into `file`. Names are resolved to slots on the way; those that are not local are collected in
/// `file.uses`. After an error the parser resumes at the next statement or declaration.
///
/// Expressions are parsed by operator precedence with explicit stacks. Statements recurse, to at most maxNesting.
class Parser {
public:
  static constexpr unsigned maxNesting = 256;

  Parser(File &file, llvm::BumpPtrAllocator &arena, Diagnostics &diags)
      : file(file), arena(arena), diags(diags), lexer(file.source.text) {
    advance();
  }

  void parseFile();

private:
  /// What stands on the operator stack: a pending operator, or an open bracket.
  struct Pending {
    enum Kind : uint8_t { Prefix, Binary, Paren, List, Call, Index, Interpolation, Label } kind;
    Op op = Op::None;
    uint8_t precedence = 0;
    bool sawComma = false;
    uint32_t offset = 0;
    /// The operand stack's height when a bracket opened.
    size_t operandBase = 0;
    size_t nameBase = 0;

    bool isBracket() const { return kind != Prefix && kind != Binary && kind != Label; }
  };
  /// The stacks of one expression start here: an `if` inside an expression parses expressions of its own.
  struct ExprBase {
    size_t pending, operands, names;
    unsigned openBrackets = 0;
  };

  // Tokens.
  void advance();
  Token &peek();
  bool consumeIf(Tok kind);
  bool expect(Tok kind, llvm::StringRef what);
  std::string found() const;
  template <typename... Args> ErrorBuilder error(uint32_t offset, Diag id, Args &&...args) {
    if (abandoned)
      return {};
    return diags.error(file.source.locationAt(offset), id, std::forward<Args>(args)...);
  }
  void expected(llvm::StringRef what);

  // Declarations.
  void parseImport();
  void parseDecl(DeclKind kind);
  void parseConstant();
  Decl *beginDecl(DeclKind kind);
  void finishDecl();
  bool parseParams(Decl &decl);
  std::optional<TypeExpr> parseType();
  DimPattern *parseDim();
  bool parseDefaultSize(DimPattern &dim, bool isNewName);
  void synchronizeDecl();

  // Statements.
  Node *abandon();
  Node *parseBlock();
  Node *parseStatement();
  Node *parseFor();
  Node *parseIf();
  Node *finishAssign(Node *left);
  static std::optional<size_t> countNewNames(Node *pattern);
  llvm::SmallVector<Target> makeTargets(Node *pattern, bool declaresAll, llvm::SmallVectorImpl<Node *> &inner);
  void synchronizeStatement(uint32_t statementBegin);

  // Expressions.
  Node *parseExpr();
  bool parseOperand(ExprBase &base, bool &wantOperand);
  /// Handles the token after an operand. `done` is set if it does not continue the expression.
  bool parseOperator(ExprBase &base, bool &wantOperand, bool &done);
  bool parsePipeStage(ExprBase &base, bool &wantOperand);
  void finishCall(ExprBase &base);
  bool closeBracket(ExprBase &base, bool &wantOperand);
  void openBracket(ExprBase &base, Pending::Kind kind, uint32_t offset);
  void beginArgument();
  void reduceWhile(const ExprBase &base, unsigned precedence, bool rightAssociative);
  void reduceTop();
  bool completeOperand(const ExprBase &base, Node *node);

  // Nodes and names.
  Node *make(NodeKind kind, uint32_t offset);
  Node *makeString(Token token);
  Node *makeName(Token token);
  Node *makeNumber(Token token);
  template <typename T> llvm::ArrayRef<T> copy(llvm::ArrayRef<T> items) { return items.copy(arena); }
  llvm::StringRef unescape(Token token);
  uint32_t declare(llvm::StringRef name);
  uint32_t slotOf(llvm::StringRef name);

  using Scopes = llvm::ScopedHashTable<llvm::StringRef, uint32_t>;

  File &file;
  llvm::BumpPtrAllocator &arena;
  Diagnostics &diags;
  Lexer lexer;
  Token tok;
  std::optional<Token> ahead;

  Scopes scopes;
  /// The declaration being parsed, and the names behind its slots.
  Decl *current = nullptr;
  std::vector<llvm::StringRef> slots;
  /// Whether types may give their sizes defaults: those of an arch's parameters.
  bool mayDefaultSizes = false;
  unsigned nesting = 0;
  bool abandoned = false;
  /// Brackets that were open where the current statement failed.
  unsigned bracketsAtError = 0;

  std::vector<Pending> pending;
  std::vector<Node *> operands;
  std::vector<llvm::StringRef> names;
};

} // namespace espalier::dsl

#endif // ESPALIER_FRONTEND_DSL_PARSER_H
