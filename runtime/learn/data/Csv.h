//===- Csv.h - Rows of CSV and TSV files ------------------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_LEARN_DATA_CSV_H
#define ESPALIER_RUNTIME_LEARN_DATA_CSV_H

#include "DataFile.h"

#include <string>

namespace espalier::rt {

/// One row of a table.
struct CsvRow {
  std::vector<std::string> fields;
  uint64_t offset = 0; ///< of its first byte in the content of the file
  uint64_t line = 0;   ///< of its first byte, from 1
};

/// Reads rows as RFC 4180 defines them: fields between separators, quoted where they hold separators, quotes (doubled)
/// or line ends; lines end in LF or CRLF. Empty lines and a byte order mark are stepped over.
class CsvReader {
public:
  CsvReader(const DataFile &file, char separator) : file(file), separator(separator) {}

  /// Goes to the row that starts at `offset`.
  void seek(uint64_t offset);
  /// Reads the next row; false at the end. After the failure of a malformed row reading goes on at the next line.
  Expected<bool> next(CsvRow &row);

private:
  /// The next byte without taking it; -1 at the end.
  int peek();
  void take();
  Status refill();
  Status malformed(const CsvRow &row, std::string_view what);
  Status readQuoted(CsvRow &row, std::string &field);

  const DataFile &file;
  char separator;
  std::vector<uint8_t> buffer;
  uint64_t bufferStart = 0;
  size_t position = 0; ///< in `buffer`
  uint64_t line = 1;
  Status failure; ///< of reading the file
};

/// The separator of a file by its name: a tab in .tsv, else a comma.
char separatorOf(const std::string &path);

/// The header of a table and which of its columns holds the class.
struct TableColumns {
  std::vector<std::string> names; ///< empty if the table has no header
  size_t count = 0;
  size_t label = 0;
};

/// Reads the first row of a table. It is a header unless one of its fields is a number. `labelColumn` as in
/// DatasetOptions. `reader` is left at the first row of data.
Expected<TableColumns> readTableColumns(CsvReader &reader, const std::string &path, const std::string &labelColumn);

/// Whether all of `text` is a finite number, and which. Spaces around it are ignored.
bool parseNumber(std::string_view text, double &value);

/// Class names in their order: rising numbers if all are integers, else by the alphabet.
std::vector<std::string> sortedClasses(std::vector<std::string> names);

/// The classes of a table whose other columns do not matter.
struct ClassColumn {
  std::vector<std::string> classNames;
  std::vector<int64_t> labels;
};
Expected<ClassColumn> readClassColumn(const std::string &path, const std::string &labelColumn);

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_LEARN_DATA_CSV_H
