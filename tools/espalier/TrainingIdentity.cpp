//===- TrainingIdentity.cpp - What a run computes with --------------------===//

#include "TrainingIdentity.h"

#include "espalier/Runtime/Core/Digest.h"
#include "llvm/Support/raw_ostream.h"

using namespace espalier;
using namespace espalier::tools;

std::string espalier::tools::digestOf(cg::GraphOp network, cg::GraphOp loss) {
  rt::Digest digest;
  for (cg::GraphOp graph : {network, loss}) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    graph->print(stream);
    digest.add(std::string_view(text));
  }
  return digest.finish();
}

rt::Expected<std::string> espalier::tools::digestOf(const rt::Dataset &dataset) {
  rt::Digest digest;
  const rt::ImageShape &shape = dataset.shape();
  for (int64_t number : {dataset.size(), shape.channels, shape.height, shape.width})
    digest.add(static_cast<uint64_t>(number));
  for (const std::string &name : dataset.classNames())
    digest.add(std::string_view(name));
  for (int64_t i = 0; i < dataset.size(); ++i)
    digest.add(static_cast<uint64_t>(dataset.label(i)));
  constexpr int64_t maxSamples = 256;
  int64_t count = std::min(dataset.size(), maxSamples);
  rt::Sample sample;
  for (int64_t i = 0; i < count; ++i) {
    if (rt::Status s = dataset.read(i * (dataset.size() / count), sample); !s.ok())
      return s;
    digest.add(rt::Span<const uint8_t>(sample.pixels));
    digest.add(rt::Span<const uint8_t>(reinterpret_cast<const uint8_t *>(sample.features.data()),
                                       sample.features.size() * sizeof(float)));
  }
  return digest.finish();
}
