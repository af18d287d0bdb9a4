//===- Span.h - A view of elements that someone else owns -------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_CORE_SPAN_H
#define ESPALIER_RUNTIME_CORE_SPAN_H

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace espalier::rt {

/// Pointer and length; what std::span is from C++20 on.
template <typename T> class Span {
public:
  Span() = default;
  Span(T *data, size_t size) : first(data), count(size) {}
  Span(std::vector<std::remove_const_t<T>> &elements) : Span(elements.data(), elements.size()) {}
  template <typename U = T, typename = std::enable_if_t<std::is_const_v<U>>>
  Span(const std::vector<std::remove_const_t<T>> &elements) : Span(elements.data(), elements.size()) {}
  template <typename U, typename = std::enable_if_t<std::is_same_v<const U, T>>>
  Span(Span<U> mutableElements) : Span(mutableElements.data(), mutableElements.size()) {}

  T *data() const { return first; }
  size_t size() const { return count; }
  bool empty() const { return count == 0; }
  T *begin() const { return first; }
  T *end() const { return first + count; }
  T &operator[](size_t index) const {
    assert(index < count && "index past the end of a span");
    return first[index];
  }
  /// The `size` elements from `start` on; the range is inside this span.
  Span subspan(size_t start, size_t size) const {
    assert(start <= count && size <= count - start && "range past the end of a span");
    return {first + start, size};
  }

private:
  T *first = nullptr;
  size_t count = 0;
};

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_CORE_SPAN_H
