//===- SvgText.cpp - Text in SVG images -----------------------------------===//

#include "SvgText.h"

#include <fmt/format.h>

using namespace espalier::rt;

std::string svg::escape(std::string_view content) {
  std::string result;
  for (char c : content) {
    switch (c) {
    case '<':
      result += "&lt;";
      break;
    case '>':
      result += "&gt;";
      break;
    case '&':
      result += "&amp;";
      break;
    case '"':
      result += "&quot;";
      break;
    default:
      result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return result;
}

std::string svg::text(double x, double y, std::string_view anchor, std::string_view content, std::string_view more) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", x, y, anchor, more,
                     escape(content));
}

std::string svg::open(double width, double height) {
  return fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 "
                     "{0} {1}\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n"
                     "<rect width=\"{0}\" height=\"{1}\" fill=\"#fff\"/>\n",
                     width, height);
}
