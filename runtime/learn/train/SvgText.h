//===- SvgText.h - Text in SVG images ---------------------------*- C++ -*-===//

#ifndef ESPALIER_LIB_RUNTIME_LEARN_TRAIN_SVGTEXT_H
#define ESPALIER_LIB_RUNTIME_LEARN_TRAIN_SVGTEXT_H

#include <string>
#include <string_view>

namespace espalier::rt::svg {

/// `content` as text between tags or in an attribute.
std::string escape(std::string_view content);

/// A line of text at (x, y), in pixels; `anchor` is "start", "middle" or "end", `more` further attributes.
std::string text(double x, double y, std::string_view anchor, std::string_view content, std::string_view more = "");

/// The start of an image of that size in pixels, readable on light and dark pages alike; it ends with "</svg>".
std::string open(double width, double height);

} // namespace espalier::rt::svg

#endif // ESPALIER_LIB_RUNTIME_LEARN_TRAIN_SVGTEXT_H
