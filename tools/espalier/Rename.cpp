//===- Rename.cpp - espalier rename ---------------------------------------===//

#include "Verbs.h"

#include "espalier/Runtime/Core/File.h"
#include "espalier/Runtime/Core/Safetensors.h"
#include "espalier/Runtime/Core/Text.h"

#include <sstream>

using namespace espalier;
using namespace espalier::tools;

namespace {
/// A line of a table of names: `FROM TO`, or `FROM TO flatten`.
struct NameRule {
  std::string to;
  bool flattens = false; ///< weights of a convolution that fills its input become those of a linear layer: rank 2
  int64_t line = 0;
  bool isUsed = false;
};

/// Rules by the path they replace.
using NameTable = std::map<std::string, NameRule>;

class Rename final : public Verb {
public:
  const char *name() const override { return "rename"; }
  const char *summary() const override { return "Give weights of another program the names of a network"; }
  const char *example() const override {
    return "espalier rename digits.safetensors --names examples/quickstart/classifier.names -o renamed.safetensors";
  }
  void declare(CLI::App &flags) override {
    flags.add_option("WEIGHTS", weights, "Weights (safetensors)")->required();
    flags.add_option("--names", names, "Table of names, see docs/training.md")->type_name("FILE")->required();
    flags.add_option("-o,--output", output, "Where the weights go (safetensors)")->type_name("FILE")->required();
  }
  rt::Status run() override;

private:
  std::string weights, names, output;
};
} // namespace

static rt::Expected<NameTable> readTable(const std::string &path) {
  constexpr uint64_t maxBytes = 1 << 20;
  rt::Expected<std::vector<uint8_t>> bytes = rt::readFile(path, maxBytes);
  if (!bytes)
    return bytes.takeStatus();
  std::istringstream text(std::string(bytes->begin(), bytes->end()));
  NameTable table;
  std::string line;
  for (int64_t number = 1; std::getline(text, line); ++number) {
    std::istringstream fields(line.substr(0, line.find('#')));
    std::vector<std::string> words{std::istream_iterator<std::string>(fields), {}};
    if (words.empty())
      continue;
    if (words.size() < 2 || words.size() > 3 || (words.size() == 3 && words[2] != "flatten"))
      return rt::invalidInput("{}:{}:1: expects 'FROM TO' or 'FROM TO flatten', but got {}", path, number,
                              rt::quote(line));
    auto [rule, isNew] = table.emplace(words[0], NameRule{words[1], words.size() == 3, number});
    if (!isNew)
      return rt::invalidInput("{}:{}:1: {} has a rule already, in line {}", path, number, rt::quote(words[0]),
                              rule->second.line);
  }
  return table;
}

/// The rule for the longest path that `tensor` begins with. What belongs to a parameter, such as `fc.weight#momentum`
/// in a checkpoint, goes with it.
static NameTable::iterator findRule(NameTable &table, const std::string &tensor) {
  std::string name = tensor.substr(0, tensor.find('#'));
  for (size_t end = name.size(); end != std::string::npos && end > 0; end = name.rfind('.', end - 1))
    if (auto rule = table.find(name.substr(0, end)); rule != table.end())
      return rule;
  return table.end();
}

/// The same elements, with all dimensions but the first as one.
static rt::Expected<rt::HostTensor> flatten(const rt::HostTensor &tensor) {
  int64_t rows = tensor.shape()[0];
  rt::Expected<rt::HostTensor> flat =
      rt::HostTensor::create(tensor.dtype(), {rows, rows ? tensor.numElements() / rows : 0});
  if (flat)
    std::copy(tensor.bytes().begin(), tensor.bytes().end(), flat->bytes().begin());
  return flat;
}

rt::Status Rename::run() {
  rt::Expected<NameTable> table = readTable(names);
  if (!table)
    return table.takeStatus();
  rt::Expected<rt::SafetensorsFile> file = rt::SafetensorsFile::open(weights);
  if (!file)
    return file.takeStatus();
  std::map<std::string, rt::HostTensor> tensors;
  size_t numRenamed = 0;
  for (const auto &[name, entry] : file->entries()) {
    rt::Expected<rt::HostTensor> tensor = file->read(name);
    if (!tensor)
      return tensor.takeStatus();
    std::string newName = name;
    if (auto found = findRule(*table, name); found != table->end()) {
      auto &[from, rule] = *found;
      rule.isUsed = true;
      newName = rule.to + name.substr(from.size());
      ++numRenamed;
      if (rule.flattens && entry.shape.size() > 2)
        tensor = flatten(*tensor);
      if (!tensor)
        return tensor.takeStatus();
    }
    if (!tensors.emplace(newName, std::move(*tensor)).second)
      return rt::invalidInput("{}: two tensors would be called {}; one of them is {}", weights, rt::quote(newName),
                              rt::quote(name));
  }
  for (const auto &[from, rule] : *table)
    if (!rule.isUsed)
      return rt::invalidInput("{}:{}:1: no tensor of {} begins with {}", names, rule.line, weights, rt::quote(from));
  std::map<std::string, const rt::HostTensor *> pointers;
  for (const auto &[name, tensor] : tensors)
    pointers[name] = &tensor;
  if (rt::Status s = rt::writeSafetensors(output, pointers, file->metadata()); !s.ok())
    return s;
  return writeResult("", fmt::format("{} of {} tensors renamed\n", numRenamed, tensors.size()));
}

std::unique_ptr<Verb> espalier::tools::createRenameVerb() { return std::make_unique<Rename>(); }
