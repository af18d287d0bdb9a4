//===- Table.cpp - Features and a class in each row of a table ------------===//

#include "Csv.h"
#include "DatasetReaders.h"

#include "espalier/Runtime/Core/Text.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

using namespace espalier::rt;

/// Reads the features of a row. The failure names the column.
static Status parseFeatures(const CsvRow &row, const TableColumns &columns, float *features) {
  for (size_t i = 0; i < row.fields.size(); ++i) {
    if (i == columns.label)
      continue;
    double value = 0;
    if (!parseNumber(row.fields[i], value) || std::abs(value) > static_cast<double>(std::numeric_limits<float>::max()))
      return invalidInput("column {} expects a finite number, but got {}",
                          columns.names.empty() ? std::to_string(i + 1) : quote(columns.names[i]),
                          quote(row.fields[i]));
    *features++ = static_cast<float>(value);
  }
  return {};
}

namespace {
/// Parses rows as they are asked for; the values are held if they fit the budget.
class TableSource final : public SampleSource {
public:
  TableSource(DataFile file, TableColumns columns) : file(std::move(file)), columns(std::move(columns)) {}

  Status read(int64_t index, Sample &sample) const override {
    size_t numFeatures = columns.count - 1, row = static_cast<size_t>(index);
    sample.shape = {static_cast<int64_t>(numFeatures), 1, 1};
    sample.features.resize(numFeatures);
    if (!values.empty()) {
      std::copy_n(values.begin() + static_cast<ptrdiff_t>(row * numFeatures), numFeatures, sample.features.begin());
      return {};
    }
    CsvReader reader(file, separatorOf(file.path()));
    reader.seek(offsets[row]);
    CsvRow fields;
    Expected<bool> more = reader.next(fields);
    if (!more)
      return more.takeStatus();
    if (fields.fields.size() != columns.count)
      return invalidInput("{}: the file changed since it was opened", locate(index));
    return parseFeatures(fields, columns, sample.features.data());
  }
  std::string locate(int64_t index) const override {
    return fmt::format("{}: sample {} (byte {})", file.path(), index, offsets[static_cast<size_t>(index)]);
  }
  bool isResident() const override { return !values.empty(); }
  bool canFail() const override { return false; } // opening reads every row

  DataFile file;
  TableColumns columns;
  std::vector<uint64_t> offsets; ///< of the rows
  std::vector<float> values;     ///< of all rows; empty if they do not fit
};
} // namespace

static constexpr std::string_view suffixes[] = {".csv", ".tsv"};

static std::vector<std::string> findParts(const DatasetFolder &folder) {
  std::set<std::string> parts;
  for (const std::string &file : folder.files) {
    for (std::string_view suffix : suffixes) {
      size_t dot = file.rfind(suffix);
      if (dot == std::string::npos || dot == 0)
        continue;
      std::string rest = file.substr(dot + suffix.size());
      if (rest.empty() || rest == ".gz")
        parts.insert(file.substr(0, dot));
    }
  }
  return {parts.begin(), parts.end()};
}

static std::string findTable(const DatasetFolder &folder, const std::string &part) {
  for (std::string_view suffix : suffixes)
    if (std::string path = folder.find(part + std::string(suffix)); !path.empty())
      return path;
  return "";
}

namespace {
/// What one pass over a table finds.
struct ScannedTable {
  std::unique_ptr<TableSource> source;
  std::map<std::string, std::vector<size_t>> samples; ///< of each class

  std::vector<std::string> classes() const {
    std::vector<std::string> names;
    for (const auto &[name, indices] : samples)
      names.push_back(name);
    return sortedClasses(std::move(names));
  }
};
} // namespace

/// Reads every row. Rows that are damaged go to `damage`.
static Expected<ScannedTable> scanTable(const std::string &path, const DatasetOptions &options, DamageReport &damage) {
  Expected<DataFile> file = DataFile::open(path, options.memoryBudget, options.skipDamaged);
  if (!file)
    return file.takeStatus();
  CsvReader reader(*file, separatorOf(path));
  Expected<TableColumns> columns = readTableColumns(reader, path, options.labelColumn);
  if (!columns)
    return columns.takeStatus();
  if (columns->count < 2)
    return invalidInput("{}: expected columns of features and one of classes, but got {} column", path, columns->count);

  ScannedTable table;
  size_t numFeatures = columns->count - 1;
  std::vector<uint64_t> offsets;
  std::vector<float> values, features(numFeatures);
  bool keeps = true;
  CsvRow row;
  for (;;) {
    Expected<bool> more = reader.next(row);
    Status status;
    if (!more)
      status = more.takeStatus();
    else if (!*more)
      break;
    else if (row.fields.size() != columns->count)
      status = invalidInput("expected {} fields, but got {}", columns->count, row.fields.size());
    else
      status = parseFeatures(row, *columns, features.data());
    if (!status.ok() && more)
      status =
          std::move(status).in(fmt::format("{}:{}: sample {} (byte {})", path, row.line, offsets.size(), row.offset));
    if (status.code() == StatusCode::Environment)
      return status;
    if (!status.ok()) {
      if (Status fatal = damage.add(std::string(status.message())); !fatal.ok())
        return fatal;
      continue;
    }
    table.samples[row.fields[columns->label]].push_back(offsets.size());
    offsets.push_back(row.offset);
    keeps = keeps && (values.size() + numFeatures) * sizeof(float) <= options.memoryBudget;
    if (keeps)
      values.insert(values.end(), features.begin(), features.end());
    else
      values = {};
  }
  table.source = std::make_unique<TableSource>(std::move(*file), std::move(*columns));
  table.source->offsets = std::move(offsets);
  table.source->values = std::move(values);
  return table;
}

static Expected<OpenedPart> openPart(const DatasetFolder &folder, const std::string &part,
                                     const DatasetOptions &options) {
  std::string path = findTable(folder, part), training = findTable(folder, "train");
  DamageReport damage(options.skipDamaged);
  Expected<ScannedTable> table = scanTable(path, options, damage);
  if (!table)
    return table.takeStatus();
  DatasetInfo info;
  info.kind = SampleKind::Features;
  info.shape = {static_cast<int64_t>(table->source->columns.count) - 1, 1, 1};
  info.classNames = table->classes();
  if (part != "train" && !training.empty()) {
    // The training set says which classes there are, so that all parts agree.
    DamageReport ignored(options.skipDamaged);
    DatasetOptions withoutMemory = options;
    withoutMemory.memoryBudget = 0;
    Expected<ScannedTable> trainingTable = scanTable(training, withoutMemory, ignored);
    if (!trainingTable)
      return trainingTable.takeStatus();
    info.classNames = trainingTable->classes();
  }
  const std::vector<uint64_t> &offsets = table->source->offsets;
  info.labels.assign(offsets.size(), -1);
  for (const auto &[name, indices] : table->samples) {
    auto found = std::find(info.classNames.begin(), info.classNames.end(), name);
    if (found == info.classNames.end()) {
      if (Status status = damage.add(fmt::format("{}: sample {} (byte {}): class {} does not occur in {}", path,
                                                 indices[0], offsets[indices[0]], quote(name), quote(training)),
                                     static_cast<int64_t>(indices.size()));
          !status.ok())
        return status;
      continue;
    }
    for (size_t index : indices)
      info.labels[index] = static_cast<int32_t>(found - info.classNames.begin());
  }
  damage.addTo(info);
  return OpenedPart{std::move(info), std::move(table->source)};
}

const DatasetReader espalier::rt::tableReader = {"CSV or TSV table", "train.csv", findParts, openPart};
