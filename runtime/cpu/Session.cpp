//===- Session.cpp - A network with weights, ready to run -----------------===//

#include "espalier/Runtime/Program/Session.h"

#include <set>

using namespace espalier::rt;

static std::vector<PlaceId> argumentsOf(const Program &program, Role role) {
  std::vector<PlaceId> ids;
  const std::vector<Place> &places = program.table().places;
  for (PlaceId id = 0; id < places.size(); ++id)
    if (places[id].kind == Place::Kind::Argument && places[id].role == role)
      ids.push_back(id);
  return ids;
}

/// Gives a value to every parameter and state that has no memory yet.
static Status writeWeights(Program &program, const InferenceSession::WeightSource &weights) {
  for (Role role : {Role::Parameter, Role::State})
    for (PlaceId id : argumentsOf(program, role)) {
      if (!program.memory(id).empty())
        continue;
      const Place &place = program.table().places[id];
      Expected<HostTensor> value = weights(place.name, place.dtype, place.logical);
      if (!value)
        return value.takeStatus();
      if (Status s = program.write(id, *value); !s.ok())
        return s;
    }
  return {};
}

Expected<InferenceSession> InferenceSession::create(std::shared_ptr<const Executable> executable,
                                                    const WeightSource &weights, int threads) {
  Expected<Program> forward = Program::create(executable, "forward", threads);
  if (!forward)
    return forward.takeStatus();
  std::optional<Program> prepare;
  for (const ProgramTable &table : executable->artifact().programs) {
    if (table.name != "prepare")
      continue;
    Expected<Program> created = Program::create(executable, "prepare", threads);
    if (!created)
      return created.takeStatus();
    prepare = std::move(*created);
  }
  if (prepare) {
    if (Status s = writeWeights(*prepare, weights); !s.ok())
      return s;
    if (Status s = prepare->run(); !s.ok())
      return s;
    if (Status s = forward->bindFrom(*prepare); !s.ok())
      return s;
  }
  // Weights that forward reads as they are.
  if (Status s = writeWeights(*forward, weights); !s.ok())
    return s;
  return InferenceSession(std::move(prepare), std::move(*forward));
}

std::vector<const Place *> InferenceSession::weightsOf(const Executable &executable) {
  std::vector<const Place *> weights;
  // What `prepare` reads or gives, `forward` takes from there.
  std::set<std::string_view> prepared;
  for (std::string_view program : {"prepare", "forward"})
    for (const ProgramTable &table : executable.artifact().programs)
      for (const Place &place : table.places)
        if (table.name == program && place.kind == Place::Kind::Argument && !prepared.count(place.name)) {
          if (place.role == Role::Parameter || place.role == Role::State)
            weights.push_back(&place);
          if (program == "prepare")
            prepared.insert(place.name);
        }
  return weights;
}

std::vector<PlaceId> InferenceSession::inputs() const { return argumentsOf(forwardProgram, Role::Input); }
std::vector<PlaceId> InferenceSession::outputs() const { return argumentsOf(forwardProgram, Role::Output); }
