//===- Status.cpp - Result of an operation that can fail ------------------===//

#include "espalier/Runtime/Core/Status.h"

using namespace espalier::rt;

Status Status::in(std::string_view context) && {
  if (failure)
    failure->message.insert(0, fmt::format("{}: ", context));
  return std::move(*this);
}
