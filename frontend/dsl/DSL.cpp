//===- DSL.cpp - Architecture files to cg graphs --------------------------===//

#include "espalier/Frontend/DSL.h"
#include "Evaluator.h"
#include "Library.h"
#include "Parser.h"
#include "Prelude.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

using namespace espalier;
using namespace espalier::dsl;
using llvm::SmallVector;
using llvm::StringRef;

namespace {
/// The files of one program.
class Program {
public:
  static constexpr size_t maxFiles = 256;

  Program(llvm::SourceMgr &sources, mlir::MLIRContext *context, Diagnostics &diags)
      : sources(sources), context(context), diags(diags) {}

  /// Loads the prelude, the main file and what it imports, and links the names. Null after an error in a file's text
  /// or imports; unknown names are reported and become poison.
  File *load();
  /// A declaration that the main file can name, or null.
  const Decl *lookup(StringRef name) const;

private:
  struct Loaded {
    std::unique_ptr<Source> source;
    std::unique_ptr<File> file;
    /// Canonical path; two spellings of it are one file.
    std::string key;
    size_t nextImport = 0;
    bool isDone = false;
  };

  Loaded *parse(StringRef name, StringRef text, std::string key, bool isPrelude);
  Loaded *open(const Loaded &importer, const Import &import);
  Loaded *openLibraryFile(mlir::Location loc, const Import &import);
  void loadImports(Loaded &root);
  void define(File &file, Decl *decl);
  void link(File &file);

  llvm::SourceMgr &sources;
  mlir::MLIRContext *context;
  Diagnostics &diags;
  llvm::BumpPtrAllocator arena;
  std::vector<std::unique_ptr<Loaded>> files;
  llvm::StringMap<Loaded *> byKey;
  File *prelude = nullptr;
  File *main = nullptr;
};
} // namespace

Program::Loaded *Program::parse(StringRef name, StringRef text, std::string key, bool isPrelude) {
  auto loaded = std::make_unique<Loaded>();
  loaded->source = std::make_unique<Source>(context, name, text, isPrelude);
  loaded->file = std::make_unique<File>(*loaded->source);
  loaded->key = std::move(key);
  Parser(*loaded->file, arena, diags).parseFile();
  for (Decl *decl : loaded->file->decls)
    define(*loaded->file, decl);
  byKey[loaded->key] = loaded.get();
  files.push_back(std::move(loaded));
  return files.back().get();
}

void Program::define(File &file, Decl *decl) {
  auto [it, isNew] = file.scope.try_emplace(decl->name, decl);
  if (!isNew && it->second != decl)
    diags.error(decl->location(), Diag::RedefinedName, decl->name).note(it->second->location(), Diag::DefinedHere);
}

Program::Loaded *Program::openLibraryFile(mlir::Location loc, const Import &import) {
  StringRef name = import.path.drop_front(libraryScheme.size());
  const LibraryFile *file =
      llvm::find_if(libraryFiles(), [&](const LibraryFile &candidate) { return candidate.name == name; });
  if (file == libraryFiles().end()) {
    diags.error(loc, Diag::CannotImport, import.path,
                "the files that come with the tools are " + llvm::join(espalier::libraryFileNames(), ", "));
    return nullptr;
  }
  if (Loaded *known = byKey.lookup(import.path))
    return known;
  unsigned id = sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBuffer(file->text, import.path), llvm::SMLoc());
  const llvm::MemoryBuffer *text = sources.getMemoryBuffer(id);
  return parse(text->getBufferIdentifier(), text->getBuffer(), import.path.str(), /*isPrelude=*/false);
}

/// Parses the file that an import names, or reports why that is impossible.
Program::Loaded *Program::open(const Loaded &importer, const Import &import) {
  mlir::Location loc = importer.source->locationAt(import.offset);
  if (import.path.starts_with(libraryScheme))
    return openLibraryFile(loc, import);
  llvm::SmallString<256> path(llvm::sys::path::parent_path(importer.source->name));
  if (llvm::sys::path::is_absolute(import.path))
    path.clear();
  llvm::sys::path::append(path, import.path);
  auto fail = [&](const std::string &why) -> Loaded * {
    diags.error(loc, Diag::CannotImport, import.path, why);
    return nullptr;
  };

  llvm::SmallString<256> key;
  llvm::sys::fs::file_status status;
  if (std::error_code error = llvm::sys::fs::status(path, status))
    return fail(error.message());
  if (!llvm::sys::fs::is_regular_file(status))
    return fail("not a regular file");
  if (std::error_code error = llvm::sys::fs::real_path(path, key))
    return fail(error.message());
  if (Loaded *known = byKey.lookup(key))
    return known;
  if (status.getSize() > maxArchitectureFileBytes) {
    diags.error(loc, Diag::FileTooLarge, maxArchitectureFileBytes, import.path, status.getSize());
    return nullptr;
  }
  if (files.size() >= maxFiles) {
    diags.error(loc, Diag::TooManyFiles, maxFiles);
    return nullptr;
  }
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer)
    return fail(buffer.getError().message());
  unsigned id = sources.AddNewSourceBuffer(std::move(*buffer), llvm::SMLoc());
  const llvm::MemoryBuffer *text = sources.getMemoryBuffer(id);
  return parse(text->getBufferIdentifier(), text->getBuffer(), key.str().str(), /*isPrelude=*/false);
}

/// Loads what `root` imports, depth first on an explicit stack: a file on the stack that is imported again closes a
/// cycle.
void Program::loadImports(Loaded &root) {
  SmallVector<Loaded *> chain{&root};
  while (!chain.empty() && !diags.exhausted()) {
    Loaded *current = chain.back();
    if (current->nextImport == current->file->imports.size()) {
      current->isDone = true;
      chain.pop_back();
      continue;
    }
    const Import &import = current->file->imports[current->nextImport];
    Loaded *target = open(*current, import);
    if (!target) {
      ++current->nextImport;
      continue;
    }
    auto *onStack = llvm::find(chain, target);
    if (onStack != chain.end()) {
      std::string through = llvm::join(
          llvm::map_range(llvm::make_range(onStack, chain.end()),
                          [](Loaded *file) { return "'" + llvm::sys::path::filename(file->source->name).str() + "'"; }),
          ", ");
      diags.error(current->source->locationAt(import.offset), Diag::ImportCycle, import.path, through);
      ++current->nextImport;
      continue;
    }
    if (!target->isDone) {
      chain.push_back(target);
      continue;
    }
    ++current->nextImport;
    // A file gives its own declarations, not what it imported.
    for (Decl *decl : target->file->decls)
      define(*current->file, decl);
  }
}

void Program::link(File &file) {
  // Names that start with '_' are the prelude's own.
  auto isVisible = [&](StringRef name) { return !name.starts_with("_") || &file == prelude; };
  auto find = [&](StringRef name) -> Decl * {
    if (Decl *decl = file.scope.lookup(name))
      return decl;
    return isVisible(name) ? prelude->scope.lookup(name) : nullptr;
  };
  for (GlobalUse &use : file.uses) {
    Node *node = use.node;
    node->decl = find(node->text);
    if (use.dim) {
      if (!node->decl || node->decl->kind != DeclKind::Constant)
        use.dim->expr = nullptr;
      continue;
    }
    if (node->decl)
      continue;
    const Builtin *builtin = lookupBuiltin(node->text);
    if (builtin && isVisible(node->text)) {
      node->builtin = builtin;
      node->isBuiltin = true;
      continue;
    }
    node->kind = NodeKind::Error;
    SmallVector<StringRef> candidates{"true", "false", "none"};
    for (StringRef name : use.user->slots)
      if (!name.empty())
        candidates.push_back(name);
    for (StringRef name : file.scope.keys())
      candidates.push_back(name);
    for (StringRef name : prelude->scope.keys())
      if (isVisible(name))
        candidates.push_back(name);
    for (const Builtin &builtin : allBuiltins())
      if (isVisible(builtin.name))
        candidates.push_back(builtin.name);
    diags.error(file.source.locationAt(node->offset), Diag::UnknownName, node->text,
                didYouMean(node->text, candidates));
    if (diags.exhausted())
      return;
  }
}

File *Program::load() {
  // In `sources` its lines can be shown beside a note.
  constexpr StringRef preludeName = "<prelude>";
  sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBuffer(preludeText(), preludeName), llvm::SMLoc());
  prelude = parse(preludeName, preludeText(), preludeName.str(), /*isPrelude=*/true)->file.get();
  const llvm::MemoryBuffer *buffer = sources.getMemoryBuffer(sources.getMainFileID());
  StringRef name = buffer->getBufferIdentifier();
  llvm::SmallString<256> key;
  if (llvm::sys::fs::real_path(name, key))
    key = name;
  if (buffer->getBufferSize() > maxArchitectureFileBytes) {
    diags.error(mlir::FileLineColLoc::get(context, name, 1, 1), Diag::FileTooLarge, maxArchitectureFileBytes, name,
                buffer->getBufferSize());
    return nullptr;
  }
  Loaded *root = parse(name, buffer->getBuffer(), key.str().str(), /*isPrelude=*/false);
  main = root->file.get();
  loadImports(*root);
  if (diags.numErrors() > 0)
    return nullptr;
  for (auto &loaded : files)
    link(*loaded->file);
  // Linking stopped half way, names may lead nowhere.
  return diags.exhausted() ? nullptr : main;
}

const Decl *Program::lookup(StringRef name) const {
  const Decl *decl = main->scope.lookup(name);
  return decl ? decl : prelude->scope.lookup(name);
}

std::vector<std::string> espalier::libraryFileNames() {
  std::vector<std::string> names;
  for (const LibraryFile &file : libraryFiles())
    if (!file.name.starts_with("_"))
      names.push_back(file.name.str());
  return names;
}

mlir::OwningOpRef<mlir::ModuleOp> espalier::parseArchitecture(llvm::SourceMgr &sources, mlir::MLIRContext *context,
                                                              const ArchitectureOptions &options) {
  context->loadDialect<cg::CGDialect>();
  Diagnostics diags;
  Program program(sources, context, diags);
  File *main = program.load();
  if (!main)
    return {};

  mlir::Location start = main->source.locationAt(0);
  mlir::OwningOpRef<mlir::ModuleOp> module(mlir::ModuleOp::create(start));
  Evaluator evaluator(*module, diags);
  bool hasEntry = false;
  for (const Decl *decl : main->decls) {
    if (decl->kind == DeclKind::Constant)
      evaluator.checkConstant(*decl);
    if (decl->kind == DeclKind::Arch || (decl->kind == DeclKind::Fn && Evaluator::isEntry(*decl))) {
      evaluator.emitEntry(*decl);
      hasEntry = true;
    }
  }
  for (const std::string &name : options.losses) {
    bool isFirst = &name == options.losses.data();
    const Decl *fn = program.lookup(name);
    if (!fn || fn->kind != DeclKind::Fn) {
      SmallVector<StringRef> candidates{"cross_entropy", "accuracy", "mean_squared_error"};
      for (const Decl *decl : main->decls)
        if (decl->kind == DeclKind::Fn)
          candidates.push_back(decl->name);
      mlir::Location named = start;
      if (isFirst && !options.lossFile.empty())
        named = mlir::FileLineColLoc::get(context, options.lossFile, options.lossLine, options.lossColumn);
      diags.error(named, Diag::UnknownLoss, name, didYouMean(name, candidates));
      continue;
    }
    llvm::ArrayRef<std::pair<std::string, double>> numbers;
    if (isFirst)
      numbers = options.lossNumbers;
    for (const auto &[parameter, number] : numbers)
      if (llvm::none_of(fn->params, [&](const Param &param) { return param.name == parameter; }))
        diags.error(fn->location(), Diag::LossNumber, name, parameter);
    for (const Decl *decl : main->decls)
      if (decl->kind == DeclKind::Arch && (options.lossArch.empty() || options.lossArch == decl->name))
        evaluator.emitLoss(*fn, *decl, numbers);
  }
  if (!hasEntry && diags.numErrors() == 0)
    diags.error(start, Diag::NoEntry);
  if (diags.numErrors() > 0 || mlir::failed(mlir::verify(*module)))
    return {};
  return module;
}
