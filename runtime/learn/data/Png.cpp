//===- Png.cpp - libpng behind Status -------------------------------------===//
//
// libpng reports errors by longjmp. The functions that a jump leaves hold no object with a destructor.
//
//===----------------------------------------------------------------------===//

#include "ImageCodecs.h"

#include <png.h>

#include <csetjmp>
#include <cstring>

using namespace espalier::rt;

namespace {
/// The state of one decoder, owned outside of every frame that a jump may skip.
struct PngReader {
  Span<const uint8_t> encoded;
  size_t position = 0;
  char message[128] = "";
  png_structp png = nullptr;
  png_infop info = nullptr;
  png_uint_32 width = 0, height = 0;
  png_byte channels = 0;

  ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }
};
} // namespace

Status espalier::rt::checkImageSize(uint64_t width, uint64_t height) {
  if (width == 0 || height == 0)
    return invalidInput("image has no pixels: {}x{}", width, height);
  if (width > static_cast<uint64_t>(maxImagePixels) / height)
    return invalidInput("image of {}x{} exceeds the limit of {} pixels", width, height, maxImagePixels);
  return {};
}

static void readBytes(png_structp png, png_bytep bytes, size_t size) {
  auto *reader = static_cast<PngReader *>(png_get_io_ptr(png));
  if (size > reader->encoded.size() - reader->position)
    png_error(png, "the file ends in the middle of the image");
  std::memcpy(bytes, reader->encoded.data() + reader->position, size);
  reader->position += size;
}

[[noreturn]] static void onError(png_structp png, png_const_charp message) {
  auto *reader = static_cast<PngReader *>(png_get_error_ptr(png));
  std::strncpy(reader->message, message, sizeof(reader->message) - 1);
  png_longjmp(png, 1);
}

static void ignoreWarning(png_structp, png_const_charp) {}

/// Reads everything before the pixels. False on an error.
static bool readHeader(PngReader &reader) {
  if (setjmp(png_jmpbuf(reader.png)))
    return false;
  png_set_read_fn(reader.png, &reader, readBytes);
  // The size is checked against our own limit once it is known.
  png_set_user_limits(reader.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  // All chunks but those that make the pixels: libpng clears a buffer of the length that a chunk claims, up to 2 GiB,
  // before it reads, and unpacks texts and profiles.
  png_set_keep_unknown_chunks(reader.png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_read_info(reader.png, reader.info);
  reader.width = png_get_image_width(reader.png, reader.info);
  reader.height = png_get_image_height(reader.png, reader.info);
  return true;
}

/// Chooses the conversions to 8-bit grey or RGB; libpng then allocates its rows.
static bool startPixels(PngReader &reader) {
  if (setjmp(png_jmpbuf(reader.png)))
    return false;
  png_set_expand(reader.png); // palettes to RGB, small grey depths to 8 bits
  png_set_strip_16(reader.png);
  png_set_strip_alpha(reader.png);
  png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  reader.channels = png_get_channels(reader.png, reader.info);
  return true;
}

static bool readPixels(PngReader &reader, uint8_t *pixels) {
  if (setjmp(png_jmpbuf(reader.png)))
    return false;
  bool interlaced = png_get_interlace_type(reader.png, reader.info) != PNG_INTERLACE_NONE;
  constexpr int numAdam7Passes = 7;
  for (int pass = 0; pass < (interlaced ? numAdam7Passes : 1); ++pass)
    for (size_t y = 0; y < reader.height; ++y)
      png_read_row(reader.png, pixels + y * reader.width * reader.channels, nullptr);
  png_read_end(reader.png, nullptr);
  return true;
}

Expected<Image> espalier::rt::decodePng(Span<const uint8_t> encoded) {
  PngReader reader;
  reader.encoded = encoded;
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, onError, ignoreWarning);
  reader.info = reader.png ? png_create_info_struct(reader.png) : nullptr;
  if (!reader.info)
    return environmentError("out of memory for a PNG image");
  auto failure = [&] { return invalidInput("damaged PNG image at byte {}: {}", reader.position, reader.message); };
  if (!readHeader(reader))
    return failure();
  if (Status status = checkImageSize(reader.width, reader.height); !status.ok())
    return status;
  if (!startPixels(reader))
    return failure();
  if (reader.channels != 1 && reader.channels != 3)
    return unsupported("PNG images of {} channels are not supported", reader.channels);
  Image image{reader.height, reader.width, reader.channels, {}};
  image.pixels.resize(size_t(reader.height) * reader.width * reader.channels);
  if (!readPixels(reader, image.pixels.data()))
    return failure();
  return image;
}

Expected<std::string> espalier::rt::encodePng(const Image &image) {
  png_image header = {};
  header.version = PNG_IMAGE_VERSION;
  header.width = static_cast<png_uint_32>(image.width);
  header.height = static_cast<png_uint_32>(image.height);
  header.format = image.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  png_alloc_size_t size = 0;
  std::string encoded;
  // The first call computes the size.
  if (png_image_write_get_memory_size(header, size, 0, image.pixels.data(), 0, nullptr)) {
    encoded.resize(size);
    if (png_image_write_to_memory(&header, encoded.data(), &size, 0, image.pixels.data(), 0, nullptr)) {
      encoded.resize(size);
      return encoded;
    }
  }
  return invalidInput("cannot encode an image of {}x{}: {}", image.width, image.height, header.message);
}
