//===- Jpeg.cpp - libjpeg behind Status -----------------------------------===//
//
// libjpeg ends the process on errors unless told otherwise; here it jumps. The functions that a jump leaves hold no
// object with a destructor.
//
//===----------------------------------------------------------------------===//

#include "ImageCodecs.h"

#include <cstddef>
#include <cstdio> // jpeglib.h needs FILE
#include <jpeglib.h>

#include <jerror.h>

#include <csetjmp>

using namespace espalier::rt;

namespace {
/// The state of one decoder, owned outside of every frame that a jump may skip.
struct JpegReader {
  Span<const uint8_t> encoded;
  jpeg_decompress_struct jpeg = {};
  jpeg_error_mgr errors = {};
  jpeg_progress_mgr progress = {};
  std::jmp_buf onError;
  char message[JMSG_LENGTH_MAX] = "";
  size_t position = 0; ///< of the error

  ~JpegReader() { jpeg_destroy_decompress(&jpeg); }
};
} // namespace

[[noreturn]] static void fail(j_common_ptr common) {
  auto *reader = static_cast<JpegReader *>(common->client_data);
  common->err->format_message(common, reader->message);
  reader->position = reader->encoded.size() - (reader->jpeg.src ? reader->jpeg.src->bytes_in_buffer : 0);
  std::longjmp(reader->onError, 1);
}

/// libjpeg repairs damaged data as well as it can and warns. A repaired picture is not what was labelled, so warnings
/// are errors; padding between segments, which some cameras write, is harmless.
static void onMessage(j_common_ptr common, int level) {
  bool warning = level < 0;
  if (warning && common->err->msg_code != JWRN_EXTRANEOUS_DATA)
    fail(common);
}

/// A progressive image of few bytes can ask for thousands of passes over all its pixels.
static void limitScans(j_common_ptr common) {
  constexpr int maxScans = 200;
  auto *jpeg = reinterpret_cast<j_decompress_ptr>(common);
  if (jpeg->input_scan_number > maxScans)
    ERREXIT(common, JERR_BAD_PROGRESSION);
}

static bool readHeader(JpegReader &reader) {
  if (setjmp(reader.onError))
    return false;
  jpeg_create_decompress(&reader.jpeg);
  reader.progress.progress_monitor = limitScans;
  reader.jpeg.progress = &reader.progress;
  jpeg_mem_src(&reader.jpeg, reader.encoded.data(), reader.encoded.size());
  jpeg_read_header(&reader.jpeg, TRUE);
  return true;
}

static bool readPixels(JpegReader &reader, uint8_t *pixels) {
  if (setjmp(reader.onError))
    return false;
  jpeg_start_decompress(&reader.jpeg);
  size_t rowSize = size_t(reader.jpeg.output_width) * reader.jpeg.output_components;
  while (reader.jpeg.output_scanline < reader.jpeg.output_height) {
    JSAMPROW row = pixels + reader.jpeg.output_scanline * rowSize;
    jpeg_read_scanlines(&reader.jpeg, &row, 1);
  }
  jpeg_finish_decompress(&reader.jpeg);
  return true;
}

Expected<Image> espalier::rt::decodeJpeg(Span<const uint8_t> encoded) {
  JpegReader reader;
  reader.encoded = encoded;
  reader.jpeg.err = jpeg_std_error(&reader.errors);
  reader.jpeg.client_data = &reader;
  reader.errors.error_exit = fail;
  reader.errors.emit_message = onMessage;
  auto failure = [&] { return invalidInput("damaged JPEG image at byte {}: {}", reader.position, reader.message); };
  if (!readHeader(reader))
    return failure();
  if (Status status = checkImageSize(reader.jpeg.image_width, reader.jpeg.image_height); !status.ok())
    return status;
  J_COLOR_SPACE stored = reader.jpeg.jpeg_color_space;
  if (stored == JCS_CMYK || stored == JCS_YCCK)
    return unsupported("CMYK JPEG images are not supported; convert it to RGB");
  bool grey = stored == JCS_GRAYSCALE;
  reader.jpeg.out_color_space = grey ? JCS_GRAYSCALE : JCS_RGB;
  Image image{reader.jpeg.image_height, reader.jpeg.image_width, grey ? 1 : 3, {}};
  image.pixels.resize(static_cast<size_t>(image.height * image.width * image.channels));
  if (!readPixels(reader, image.pixels.data()))
    return failure();
  return image;
}
