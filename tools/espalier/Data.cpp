//===- Data.cpp - espalier data -------------------------------------------===//

#include "Options.h"
#include "RecipeFlags.h"
#include "Verbs.h"

#include "espalier/Runtime/Data/ContactSheet.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>

using namespace espalier;
using namespace espalier::tools;

namespace {
/// What is known of one part after reading it.
struct Part {
  rt::Dataset dataset;
  rt::Normalisation statistics;
  std::vector<int64_t> perClass;
};

class Data final : public Verb {
public:
  const char *name() const override { return "data"; }
  const char *summary() const override { return "Describe a data set, and show what a net sees of it"; }
  const char *example() const override {
    return "espalier data examples/quickstart/digits --set augment.crop.padding=1 --preview digits.png";
  }
  void declare(CLI::App &flags) override {
    flags.add_option("folder", folder, "Folder of the data set, see docs/data.md")->required()->type_name("FOLDER");
    flags.add_option("--part", part, "Part to describe and show (default: all, and the first to show)")
        ->type_name("PART");
    recipeFlags.declare(flags);
    flags.add_option("--preview", preview, "Write a picture with a row of samples for each class, augmented")
        ->type_name("FILE.png");
    flags.add_option("--columns", columns, "Samples in a row of the picture")
        ->type_name("COLUMNS")
        ->check(atLeastOne())
        ->capture_default_str();
    flags.add_option("--epoch", epoch, "Epoch whose random numbers the picture shows, from 0")
        ->check(CLI::Range(int64_t(0), std::numeric_limits<int64_t>::max()).description(""))
        ->capture_default_str();
    flags.add_flag("--json", json, "One JSON document");
    flags.add_option("-o,--output", output, "Write the description to a file")->type_name("FILE");
  }
  rt::Status run() override;

private:
  rt::Expected<Part> describe(const std::string &name, const rt::Recipe &recipe) const;
  rt::Status show(const Part &shown, const rt::Recipe &recipe) const;
  std::string formatTable(const std::vector<Part> &parts) const;
  std::string formatJson(const std::vector<Part> &parts) const;

  RecipeFlags recipeFlags;
  std::string folder, part, preview, output;
  int64_t columns = 10, epoch = 0;
  bool json = false;
};
} // namespace

rt::Expected<Part> Data::describe(const std::string &name, const rt::Recipe &recipe) const {
  rt::Expected<rt::Dataset> dataset = rt::openDataset(folder, name, recipe.datasetOptions());
  if (!dataset)
    return dataset.takeStatus();
  warnOfSkipped(console, *dataset);
  rt::Expected<rt::Normalisation> statistics = rt::measureNormalisation(*dataset);
  if (!statistics)
    return statistics.takeStatus();
  std::vector<int64_t> perClass(dataset->classNames().size());
  for (int64_t i = 0; i < dataset->size(); ++i)
    ++perClass[static_cast<size_t>(dataset->label(i))];
  return Part{std::move(*dataset), std::move(*statistics), std::move(perClass)};
}

rt::Status Data::show(const Part &shown, const rt::Recipe &recipe) const {
  rt::Normalisation normalisation = shown.statistics;
  if (recipe.mean) {
    rt::Expected<rt::Normalisation> chosen = chooseNormalisation(recipe, shown.dataset);
    if (!chosen)
      return chosen.takeStatus();
    normalisation = std::move(*chosen);
  }
  rt::Expected<rt::View> view = rt::View::create(shown.dataset, normalisation, recipe.augment, rt::View::Use::Training);
  if (!view)
    return view.takeStatus();
  rt::ContactSheetOptions options;
  options.columns = columns;
  rt::ViewKey key{static_cast<uint64_t>(recipe.seed), epoch};
  rt::Expected<rt::Image> sheet = rt::contactSheet(shown.dataset, *view, key, options);
  if (!sheet)
    return sheet.takeStatus();
  return rt::writePng(preview, *sheet);
}

static std::string formatNumbers(const std::vector<double> &numbers) {
  constexpr size_t maxShown = 3;
  std::string text;
  for (size_t i = 0; i < numbers.size() && i < maxShown; ++i)
    text += fmt::format("{}{:.4f}", i ? " " : "", numbers[i]);
  return text + (numbers.size() > maxShown ? " ..." : "");
}

std::string Data::formatTable(const std::vector<Part> &parts) const {
  std::string text;
  auto out = std::back_inserter(text);
  fmt::format_to(out, "{} ({})\n\n", folder, parts.front().dataset.info().format);
  fmt::format_to(out, "{:<12} {:>9} {:>12} {:>8} {:>8}  {:<24} {}\n", "part", "samples", "shape", "classes", "skipped",
                 "mean", "std");
  for (const Part &p : parts) {
    const rt::DatasetInfo &info = p.dataset.info();
    bool isImage = info.kind == rt::SampleKind::Image;
    fmt::format_to(out, "{:<12} {:>9} {:>12} {:>8} {:>8}  {:<24} {}\n", info.part, p.dataset.size(),
                   isImage ? rt::formatShape(info.shape) : std::to_string(info.shape.channels), info.classNames.size(),
                   info.numSkipped, formatNumbers(p.statistics.mean), formatNumbers(p.statistics.deviation));
  }
  size_t width = 5;
  for (const Part &p : parts)
    for (const std::string &name : p.dataset.classNames())
      width = std::max(width, name.size());
  fmt::format_to(out, "\n{:<{}}", "class", width);
  for (const Part &p : parts)
    fmt::format_to(out, " {:>9}", p.dataset.info().part);
  fmt::format_to(out, "\n");
  const std::vector<std::string> &names =
      std::max_element(parts.begin(), parts.end(), [](const Part &a, const Part &b) {
        return a.perClass.size() < b.perClass.size();
      })->dataset.classNames();
  for (size_t c = 0; c < names.size(); ++c) {
    fmt::format_to(out, "{:<{}}", names[c], width);
    for (const Part &p : parts)
      fmt::format_to(out, " {:>9}", c < p.perClass.size() ? p.perClass[c] : 0);
    fmt::format_to(out, "\n");
  }
  return text;
}

std::string Data::formatJson(const std::vector<Part> &parts) const {
  nlohmann::json document = {{"folder", folder}, {"format", parts.front().dataset.info().format}};
  for (const Part &p : parts) {
    const rt::DatasetInfo &info = p.dataset.info();
    bool isImage = info.kind == rt::SampleKind::Image;
    nlohmann::json shape = {info.shape.channels};
    if (isImage)
      shape.insert(shape.end(), {info.shape.height, info.shape.width});
    nlohmann::json classes = nlohmann::json::array();
    for (size_t c = 0; c < p.perClass.size(); ++c)
      classes.push_back({{"name", info.classNames[c]}, {"samples", p.perClass[c]}});
    document["parts"].push_back({{"name", info.part},
                                 {"kind", isImage ? "image" : "features"},
                                 {"samples", p.dataset.size()},
                                 {"shape", shape},
                                 {"skipped", info.numSkipped},
                                 {"mean", p.statistics.mean},
                                 {"std", p.statistics.deviation},
                                 {"classes", classes}});
  }
  return document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

rt::Status Data::run() {
  rt::Expected<rt::Recipe> recipe = recipeFlags.read();
  if (!recipe)
    return recipe.takeStatus();
  std::vector<std::string> names = {part};
  if (part.empty()) {
    rt::Expected<std::vector<std::string>> found = rt::datasetParts(folder);
    if (!found)
      return found.takeStatus();
    names = std::move(*found);
  }
  std::vector<Part> parts;
  for (const std::string &name : names) {
    rt::Expected<Part> described = describe(name, *recipe);
    if (!described)
      return described.takeStatus();
    parts.push_back(std::move(*described));
  }
  if (!preview.empty())
    if (rt::Status s = show(parts.front(), *recipe); !s.ok())
      return s;
  return writeResult(output, json ? formatJson(parts) : formatTable(parts));
}

std::unique_ptr<Verb> espalier::tools::createDataVerb() { return std::make_unique<Data>(); }
