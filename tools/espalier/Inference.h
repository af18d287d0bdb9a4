//===- Inference.h - a network compiled and loaded for inference -*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_INFERENCE_H
#define ESPALIER_TOOLS_ESPALIER_INFERENCE_H

#include "Network.h"
#include "WeightsFile.h"

#include "espalier/Runtime/Program/Session.h"

namespace espalier::tools {

/// The flags of verbs that run a network.
struct InferenceFlags {
  NetworkFlags network;
  std::string weights;
  bool randomWeights = false;
  uint64_t seed = 0;
  int threads = 0;
  std::string cpu = "host";
  std::string precision = "f32";

  void declare(CLI::App &flags);
};

/// A session and where its weights came from.
struct Inference {
  std::optional<rt::InferenceSession> session;
  std::shared_ptr<const rt::Executable> executable;
  std::optional<Preprocessing> preprocessing;
  double compileSeconds = 0.0; ///< from the file to the loaded code
};

/// Compiles the network for inference and loads its weights. Sizes that the flags leave open are set to 1 for the
/// batch; any other open size is an error. Prints errors; the failure is the exit code.
rt::Expected<Inference> compileInference(const InferenceFlags &flags);

/// Gives every input standard-normal numbers (zeros where it holds integers), the same for equal names and seed.
rt::Status writeRandomInputs(rt::InferenceSession &session, uint64_t seed);

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_INFERENCE_H
