//===- Run.cpp - espalier run ---------------------------------------------===//

#include "Inference.h"
#include "Options.h"
#include "Verbs.h"

#include "espalier/Runtime/Core/Finite.h"
#include "espalier/Runtime/Core/Npy.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace espalier;
using namespace espalier::tools;

namespace {
class Run final : public Verb {
public:
  const char *name() const override { return "run"; }
  const char *summary() const override { return "Run a network on arrays or image files"; }
  const char *example() const override {
    return "espalier run examples/quickstart/digits.esp --weights digits.safetensors examples/quickstart/images/*.png";
  }
  bool computes() const override { return true; }
  void declare(CLI::App &flags) override {
    inference.declare(flags);
    flags.add_option("IMAGE", images, "PNG or JPEG files to classify");
    flags.add_option("--input", inputs, "Inputs: FILE.npy, or NAME=FILE.npy for each of several")->type_name("FILE");
    flags.add_flag("--random-inputs", randomInputs, "Standard-normal inputs");
    flags.add_option("-o,--output", output, "Where the first output goes (npy)")->type_name("FILE");
    flags.add_option("--top", top, "Classes to show for each image")->capture_default_str()->check(atLeastOne());
    flags.add_flag("--json", json, "One JSON document on standard output");
  }
  rt::Status run() override;

private:
  rt::Status setInputs(rt::InferenceSession &session) const;
  rt::Status classify(Inference &network) const;
  rt::Status compute(rt::InferenceSession &session) const;

  InferenceFlags inference;
  std::vector<std::string> images, inputs;
  std::string output;
  int64_t top = 3;
  bool randomInputs = false, json = false;
};
} // namespace

rt::Status Run::run() {
  if (images.empty() == (inputs.empty() && !randomInputs))
    return rt::usageError("give image files, or --input, or --random-inputs");
  if (!images.empty() && !output.empty())
    return rt::usageError("-o writes the output for --input or --random-inputs; the classes of image files go to "
                          "standard output");
  rt::Expected<Inference> network = compileInference(inference, console, /*weightsMatter=*/true);
  if (!network)
    return network.takeStatus();
  return images.empty() ? compute(*network->session) : classify(*network);
}

rt::Status Run::setInputs(rt::InferenceSession &session) const {
  rt::Program &forward = session.forward();
  std::vector<rt::PlaceId> places = session.inputs();
  if (randomInputs)
    return writeRandomInputs(session, inference.seed);
  for (const std::string &entry : inputs) {
    size_t equals = entry.find('=');
    std::string file = equals == std::string::npos ? entry : entry.substr(equals + 1);
    std::optional<rt::PlaceId> id;
    if (equals != std::string::npos)
      id = forward.findInput(entry.substr(0, equals));
    else if (places.size() == 1)
      id = places.front();
    if (!id || std::find(places.begin(), places.end(), *id) == places.end()) {
      std::string names;
      for (rt::PlaceId place : places)
        names += (names.empty() ? "" : ", ") + forward.table().places[place].name;
      return rt::usageError("--input {}: name one of the network's inputs with NAME=FILE: {}", entry, names);
    }
    rt::Expected<rt::HostTensor> tensor = rt::readNpy(file);
    if (!tensor)
      return tensor.takeStatus();
    // As with weights: what f32 holds is exact in f64.
    if (tensor->dtype() == rt::DType::F32 && forward.table().places[*id].dtype == rt::DType::F64)
      tensor = rt::toFloat64(*tensor);
    if (!tensor)
      return tensor.takeStatus();
    if (rt::Status s = forward.write(*id, *tensor); !s.ok())
      return std::move(s).in(file);
  }
  return {};
}

static std::string dump(const nlohmann::json &document) {
  return document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

rt::Status Run::compute(rt::InferenceSession &session) const {
  if (rt::Status s = setInputs(session); !s.ok())
    return s;
  if (rt::Status s = session.forward().run(); !s.ok())
    return s;
  nlohmann::json document;
  std::string text;
  for (auto [index, id] : llvm::enumerate(session.outputs())) {
    rt::Expected<rt::HostTensor> value = session.forward().read(id);
    if (!value)
      return value.takeStatus();
    const rt::Place &place = session.forward().table().places[id];
    if (index == 0 && !output.empty())
      if (rt::Status s = rt::writeNpy(output, *value); !s.ok())
        return s;
    document[place.name] = {{"type", std::string(rt::name(place.dtype))}, {"shape", place.logical}};
    text += fmt::format("{}: {}\n", place.name, rt::formatType(place.dtype, place.logical));
  }
  return writeResult("", json ? dump(document) : text);
}

static std::vector<double> softmax(rt::Span<const float> logits) {
  double largest = *std::max_element(logits.begin(), logits.end());
  std::vector<double> shares;
  for (float logit : logits)
    shares.push_back(std::exp(logit - largest));
  double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  for (double &share : shares)
    share /= sum;
  return shares;
}

rt::Status Run::classify(Inference &network) const {
  if (!network.preprocessing)
    return rt::invalidInput("{} does not say how images become inputs (no 'espalier.preprocessing' in its metadata)",
                            inference.weights);
  rt::InferenceSession &session = *network.session;
  rt::Program &forward = session.forward();
  const Preprocessing &preprocessing = *network.preprocessing;
  const rt::ImageShape &shape = preprocessing.image;
  std::vector<rt::PlaceId> inputPlaces = session.inputs(), outputPlaces = session.outputs();
  std::vector<int64_t> expected{1, shape.channels, shape.height, shape.width};
  if (inputPlaces.size() != 1 || forward.table().places[inputPlaces[0]].logical != expected ||
      forward.table().places[inputPlaces[0]].dtype != rt::DType::F32)
    return rt::invalidInput("the weights are for images of {}, which is not the network's input",
                            rt::formatType(rt::DType::F32, expected));
  if (outputPlaces.empty() || forward.table().places[outputPlaces[0]].logical.size() != 2 ||
      forward.table().places[outputPlaces[0]].dtype != rt::DType::F32)
    return rt::invalidInput("the network's first output is no table of classes");

  rt::Expected<rt::HostTensor> sample = rt::HostTensor::create(rt::DType::F32, expected);
  if (!sample)
    return sample.takeStatus();
  nlohmann::json document = nlohmann::json::array();
  std::string text;
  for (const std::string &file : images) {
    if (rt::Status s = preprocessing.readSample(file, sample->elements<float>()); !s.ok())
      return s;
    if (rt::Status s = forward.write(inputPlaces[0], *sample); !s.ok())
      return s;
    if (rt::Status s = forward.run(); !s.ok())
      return s;
    rt::Expected<rt::HostTensor> logits = forward.read(outputPlaces[0]);
    if (!logits)
      return logits.takeStatus();
    if (!rt::allFinite(logits->dtype(), logits->bytes()))
      return rt::invalidInput("{}: the network's output is not finite; {} may have such values", file,
                              inference.weights);
    std::vector<double> shares = softmax(std::as_const(*logits).elements<float>());
    std::vector<size_t> order(shares.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return shares[a] > shares[b]; });
    order.resize(std::min(order.size(), static_cast<size_t>(top)));
    auto className = [&](size_t index) {
      return index < preprocessing.classNames.size() ? preprocessing.classNames[index] : fmt::format("class {}", index);
    };
    nlohmann::json classes = nlohmann::json::array();
    text += file + ":";
    for (size_t index : order) {
      classes.push_back({{"class", className(index)}, {"probability", shares[index]}});
      text += fmt::format("  {} {:.1f} %", className(index), 100 * shares[index]);
    }
    text += "\n";
    document.push_back({{"file", file}, {"classes", classes}});
  }
  return writeResult("", json ? dump(document) : text);
}

std::unique_ptr<Verb> espalier::tools::createRunVerb() { return std::make_unique<Run>(); }
