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

std::string espalier::tools::digestOf(const rt::Dataset &dataset) {
  rt::Digest digest;
  const rt::ImageShape &shape = dataset.shape();
  for (int64_t number : {dataset.size(), shape.channels, shape.height, shape.width})
    digest.add(static_cast<uint64_t>(number));
  for (const std::string &name : dataset.classNames())
    digest.add(std::string_view(name));
  for (int64_t i = 0; i < dataset.size(); ++i)
    digest.add(static_cast<uint64_t>(dataset.label(i)));
  constexpr int64_t maxImages = 256;
  int64_t images = std::min(dataset.size(), maxImages);
  for (int64_t i = 0; i < images; ++i)
    digest.add(dataset.image(i * (dataset.size() / images)));
  return digest.finish();
}
