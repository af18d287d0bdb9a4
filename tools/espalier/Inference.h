//===- Inference.h - a network compiled and loaded for inference -*- C++ -*-===//

#ifndef ESPALIER_TOOLS_ESPALIER_INFERENCE_H
#define ESPALIER_TOOLS_ESPALIER_INFERENCE_H

#include "Console.h"
#include "Network.h"
#include "Target.h"
#include "WeightsFile.h"

#include "espalier/Runtime/Program/Session.h"

namespace espalier::tools {

/// The flags of verbs that run a network.
struct InferenceFlags {
  NetworkFlags network;
  TargetFlags target;
  std::string weights;
  bool randomWeights = false;
  uint64_t seed = 0;
  int threads = 0;

  void declare(CLI::App &flags);
};

/// A session and where it came from.
struct Inference {
  std::optional<rt::InferenceSession> session;
  std::shared_ptr<const rt::Executable> executable;
  std::optional<Preprocessing> preprocessing;
  double compileSeconds = 0.0; ///< from the file to the loaded code

  /// The network, the chosen graph and its sizes; null for an artifact, which is compiled already.
  std::unique_ptr<Network> network;
  cg::GraphOp graph;
  SizeBindings sizes;
};

/// Compiles the network for inference, or loads the artifact that it is (.espx), and gives it weights: from the file
/// that the flags name, else drawn from the initialisers. `weightsMatter`: without either flag that is a usage error.
rt::Expected<Inference> compileInference(const InferenceFlags &flags, const Console &console, bool weightsMatter);

/// What the code computes in, as an artifact records it: "f32", "bf16", "f64".
std::string precisionOf(const rt::Executable &executable);

/// Gives every input standard-normal numbers (zeros where it holds integers), the same for equal names and seed.
rt::Status writeRandomInputs(rt::InferenceSession &session, uint64_t seed);

} // namespace espalier::tools

#endif // ESPALIER_TOOLS_ESPALIER_INFERENCE_H
