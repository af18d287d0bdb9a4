//===- Certificate.h - that a folded network computes the same --*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_CERTIFICATE_H
#define ESPALIER_TOOLS_ESPALIER_CERTIFICATE_H

#include "Equality.h"

#include <map>

namespace espalier::tools {

/// What `espalier fold --verify` found, and about which files: JSON that `espalier verify` reads.
struct Certificate {
  struct File {
    std::string path; ///< relative to the folder of the certificate
    std::string sha256;
  };

  std::string architecture;
  SizeBindings sizes;
  uint64_t seed = 0;
  double tolerance = 0.0;
  std::vector<OutputError> outputs;
  /// By role: "network", "weights" (none: drawn by `seed`), "folded_network", "folded_weights".
  std::map<std::string, File> files;
  /// By the path of each folded parameter, what it was made of.
  std::map<std::string, std::vector<std::string>> parameters;

  /// Records `path`, as seen from the folder of `certificate`, with the digest of what is in `content`.
  rt::Status addFile(const std::string &role, const std::string &path, const std::string &content,
                     const std::string &certificate);
  /// The path of a file of the certificate in `certificate`, as this process sees it. InvalidInput if it is not the
  /// file that was recorded.
  rt::Expected<std::string> findFile(const std::string &role, const std::string &certificate) const;

  std::string toJson() const;
  /// InvalidInput, with the file's name, where the text is no certificate.
  static rt::Expected<Certificate> read(const std::string &path);
};

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_CERTIFICATE_H
