//===- ImageTest.cpp ------------------------------------------------------===//

#include "espalier/Runtime/Data/Image.h"

#include "TestSupport.h"

#include <cstdio> // jpeglib.h needs FILE
#include <jpeglib.h>
#include <png.h>
#include <zlib.h>

using namespace espalier::rt;
using namespace espalier::rt::test;

namespace {

Expected<Image> decode(const std::string &encoded) {
  return decodeImage({reinterpret_cast<const uint8_t *>(encoded.data()), encoded.size()});
}

Image gradient(int64_t height, int64_t width, int64_t channels) {
  Image image{height, width, channels, {}};
  for (int64_t i = 0; i < height * width * channels; ++i)
    image.pixels.push_back(static_cast<uint8_t>(i * 7));
  return image;
}

/// A PNG whose rows are given as libpng wants them for the colour type and depth.
std::string encodePng(int width, int height, int colourType, int depth, int interlace,
                      const std::vector<std::vector<uint8_t>> &rows) {
  std::string encoded;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(
      png, &encoded,
      [](png_structp png, png_bytep bytes, size_t size) {
        static_cast<std::string *>(png_get_io_ptr(png))->append(reinterpret_cast<char *>(bytes), size);
      },
      nullptr);
  png_set_IHDR(png, info, width, height, depth, colourType, interlace, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_color palette[] = {{10, 20, 30}, {40, 50, 60}};
  if (colourType == PNG_COLOR_TYPE_PALETTE)
    png_set_PLTE(png, info, palette, 2);
  std::vector<png_const_bytep> pointers;
  for (const std::vector<uint8_t> &row : rows)
    pointers.push_back(row.data());
  png_set_rows(png, info, const_cast<png_bytepp>(pointers.data()));
  png_write_png(png, info, PNG_TRANSFORM_IDENTITY, nullptr);
  png_destroy_write_struct(&png, &info);
  return encoded;
}

std::string encodeJpeg(const Image &image, J_COLOR_SPACE colours, bool progressive = false) {
  jpeg_compress_struct jpeg = {};
  jpeg_error_mgr errors;
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char *memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &memory, &size);
  jpeg.image_width = static_cast<JDIMENSION>(image.width);
  jpeg.image_height = static_cast<JDIMENSION>(image.height);
  jpeg.input_components = static_cast<int>(image.channels);
  jpeg.in_color_space = colours;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, 100, TRUE);
  if (progressive)
    jpeg_simple_progression(&jpeg);
  jpeg_start_compress(&jpeg, TRUE);
  while (jpeg.next_scanline < jpeg.image_height) {
    JSAMPROW row = const_cast<uint8_t *>(&image.pixels[jpeg.next_scanline * image.width * image.channels]);
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  std::string encoded(reinterpret_cast<char *>(memory), size);
  std::free(memory);
  return encoded;
}

void expectPixels(const Expected<Image> &image, int64_t channels, const std::vector<uint8_t> &pixels) {
  ASSERT_TRUE(image.ok()) << image.status().message();
  EXPECT_EQ(image->channels, channels);
  EXPECT_EQ(image->pixels, pixels);
}

TEST(ImageTest, PngRoundTrips) {
  TempFolder folder;
  for (int64_t channels : {1, 3}) {
    Image image = gradient(5, 3, channels);
    ASSERT_TRUE(writePng(folder.file("x.png"), image).ok());
    Expected<Image> back = readImage(folder.file("x.png"));
    expectPixels(back, channels, image.pixels);
    EXPECT_EQ(back->height, 5);
    EXPECT_EQ(back->width, 3);
  }
}

TEST(ImageTest, EveryKindOfPngBecomesGreyOrRgb) {
  constexpr int none = PNG_INTERLACE_NONE;
  expectPixels(decode(encodePng(2, 1, PNG_COLOR_TYPE_PALETTE, 1, none, {{0x40}})), 3, {10, 20, 30, 40, 50, 60});
  expectPixels(decode(encodePng(4, 1, PNG_COLOR_TYPE_GRAY, 2, none, {{0x1b}})), 1, {0, 85, 170, 255});
  expectPixels(decode(encodePng(1, 1, PNG_COLOR_TYPE_GRAY, 16, none, {{0x12, 0xff}})), 1, {0x12});
  expectPixels(decode(encodePng(1, 1, PNG_COLOR_TYPE_GRAY_ALPHA, 8, none, {{9, 128}})), 1, {9});
  expectPixels(decode(encodePng(1, 1, PNG_COLOR_TYPE_RGB_ALPHA, 8, none, {{1, 2, 3, 0}})), 3, {1, 2, 3});
  expectPixels(decode(encodePng(1, 1, PNG_COLOR_TYPE_RGB_ALPHA, 16, none, {{1, 0, 2, 0, 3, 0, 0, 0}})), 3, {1, 2, 3});
  expectPixels(decode(encodePng(3, 2, PNG_COLOR_TYPE_GRAY, 8, PNG_INTERLACE_ADAM7, {{1, 2, 3}, {4, 5, 6}})), 1,
               {1, 2, 3, 4, 5, 6});
}

TEST(ImageTest, JpegDecodes) {
  Image grey{16, 8, 1, std::vector<uint8_t>(128, 77)};
  expectPixels(decode(encodeJpeg(grey, JCS_GRAYSCALE)), 1, grey.pixels);
  Image colour{16, 24, 3, {}};
  for (int i = 0; i < 16 * 24; ++i)
    colour.pixels.insert(colour.pixels.end(), {200, 100, 50});
  for (bool progressive : {false, true}) {
    Expected<Image> image = decode(encodeJpeg(colour, JCS_RGB, progressive));
    ASSERT_TRUE(image.ok()) << image.status().message();
    EXPECT_EQ(image->height, 16);
    EXPECT_EQ(image->width, 24);
    ASSERT_EQ(image->pixels.size(), colour.pixels.size());
    for (size_t i = 0; i < colour.pixels.size(); ++i)
      EXPECT_NEAR(image->pixels[i], colour.pixels[i], 2);
  }
  Image cmyk{8, 8, 4, std::vector<uint8_t>(256, 10)};
  expectFailure(decode(encodeJpeg(cmyk, JCS_CMYK)), StatusCode::Unsupported, "CMYK");
}

TEST(ImageTest, SizeIsCheckedBeforeAllocation) {
  std::string png = encodePng(1, 1, PNG_COLOR_TYPE_GRAY, 8, PNG_INTERLACE_NONE, {{1}});
  // IHDR lies at byte 12, its checksum after 17 bytes.
  png.replace(16, 8, std::string("\x7f\xff\xff\xff\x7f\xff\xff\xff", 8));
  uLong checksum = crc32(0, reinterpret_cast<const Bytef *>(&png[12]), 17);
  for (int i = 0; i < 4; ++i)
    png[29 + i] = static_cast<char>(checksum >> (24 - 8 * i));
  expectFailure(decode(png), StatusCode::InvalidInput, "image of 2147483647x2147483647 exceeds the limit");

  std::string jpeg = encodeJpeg(gradient(8, 8, 1), JCS_GRAYSCALE);
  size_t frame = jpeg.find("\xff\xc0");
  jpeg.replace(frame + 5, 4, "\xff\xdc\xff\xdc");
  expectFailure(decode(jpeg), StatusCode::InvalidInput, "image of 65500x65500 exceeds the limit");
}

TEST(ImageTest, DamageIsLocated) {
  TempFolder folder;
  std::string png = encodePng(2, 1, PNG_COLOR_TYPE_GRAY, 8, PNG_INTERLACE_NONE, {{1, 2}});
  expectFailure(readImage(folder.write("cut.png", png.substr(0, 50))), StatusCode::InvalidInput,
                "cut.png: damaged PNG image at byte 41: the file ends in the middle of the image");
  expectFailure(decode(png.substr(0, png.size() - 1)), StatusCode::InvalidInput, "damaged PNG image");
  std::string jpeg = encodeJpeg(gradient(32, 32, 1), JCS_GRAYSCALE);
  expectFailure(decode(jpeg.substr(0, jpeg.size() - 40)), StatusCode::InvalidInput, "Premature end of JPEG file");
  expectFailure(decode("GIF89a"), StatusCode::InvalidInput, "not a PNG or JPEG image");
  expectFailure(decode(""), StatusCode::InvalidInput, "not a PNG or JPEG image");

  auto decodes = [](const std::string &encoded) { (void)decode(encoded).ok(); };
  forEachDamage(png, decodes);
  forEachDamage(encodePng(3, 2, PNG_COLOR_TYPE_PALETTE, 1, PNG_INTERLACE_ADAM7, {{0x40}, {0x80}}), decodes);
  forEachDamage(encodeJpeg(gradient(9, 9, 3), JCS_RGB), decodes);
  forEachDamage(encodeJpeg(gradient(9, 9, 1), JCS_GRAYSCALE, /*progressive=*/true), decodes);
}

TEST(ImageTest, ResizeUpwardsIsBilinear) {
  // torch.nn.functional.interpolate([[0, 100], [200, 40]], size=(2, 4), mode="bilinear", align_corners=False)
  Image image{2, 2, 1, {0, 100, 200, 40}};
  EXPECT_EQ(resizeImage(image, 2, 4).pixels, (std::vector<uint8_t>{0, 25, 75, 100, 200, 160, 80, 40}));
  EXPECT_EQ(resizeImage(image, 2, 2).pixels, image.pixels);
}

TEST(ImageTest, ResizeDownwardsAveragesWithATriangle) {
  // Pillow 11: Image.fromarray(...).resize((2, 2), Image.BILINEAR)
  Image image{4, 4, 1, {0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120, 130, 140, 255}};
  EXPECT_EQ(resizeImage(image, 2, 2).pixels, (std::vector<uint8_t>{36, 52, 98, 134}));
  Image colour{1, 2, 3, {0, 100, 200, 50, 100, 0}};
  EXPECT_EQ(resizeImage(colour, 1, 1).pixels, (std::vector<uint8_t>{25, 100, 100}));
}

TEST(ImageTest, ChannelsConvert) {
  Image grey{1, 2, 1, {5, 250}};
  EXPECT_EQ(convertChannels(grey, 3).pixels, (std::vector<uint8_t>{5, 5, 5, 250, 250, 250}));
  EXPECT_EQ(convertChannels(grey, 1).pixels, grey.pixels);
  Image colour{1, 2, 3, {255, 0, 0, 10, 200, 90}};
  EXPECT_EQ(convertChannels(colour, 1).pixels, (std::vector<uint8_t>{76, 131}));
}

} // namespace
