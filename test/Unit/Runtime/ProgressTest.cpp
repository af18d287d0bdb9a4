//===- ProgressTest.cpp ---------------------------------------------------===//

#include "espalier/Runtime/Train/Progress.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <pty.h>
#include <sys/ioctl.h>
#include <unistd.h>

using namespace espalier::rt;

namespace {

class ProgressTest : public testing::Test {
protected:
  ProgressOptions options(ProgressOptions::Style style) {
    ProgressOptions options;
    options.style = style;
    options.write = [this](std::string_view text) { output += text; };
    options.now = [this] { return clock; };
    return options;
  }

  std::string output;
  double clock = 1000;
};

TEST_F(ProgressTest, LinesComeRarelyAndAtTheEnd) {
  Progress progress(options(ProgressOptions::Style::Lines), 200);
  progress.start("epoch 1/2", 100);
  clock += 29;
  progress.update(29, 2.0, 0.25);
  EXPECT_EQ(output, "");
  clock += 1;
  progress.update(30, 1.5, 0.5);
  EXPECT_EQ(output, "epoch 1/2: 30/100  loss 1.5000  accuracy 50.00 %  1 images/s\n");
  output.clear();
  clock += 20;
  progress.update(100, 1.25, std::nullopt);
  progress.finish("test accuracy 61.00 %");
  EXPECT_EQ(output, "epoch 1/2: loss 1.2500  2 images/s  0:50  test accuracy 61.00 %\n");
}

TEST_F(ProgressTest, BarIsRedrawnInPlaceAndKnowsTheWholeRun) {
  ProgressOptions bar = options(ProgressOptions::Style::Bar);
  bar.width = 100;
  Progress progress(bar, 200);
  progress.start("epoch 1/2", 100);
  clock += 0.05;
  progress.update(1, 2.0, 0.25);
  EXPECT_EQ(output, "");
  clock += 9.95;
  progress.update(50, 2.0, 0.25);
  EXPECT_EQ(output, "\r\x1b[Kepoch 1/2 [" + std::string(14, '#') + std::string(14, '.') +
                        "]  50%  loss 2.0000  accuracy 25.00 %  5 images/s  0:30 left");
  clock += 10;
  progress.update(100, 1.0, 0.5);
  output.clear();
  progress.finish();
  EXPECT_EQ(output, "\r\x1b[Kepoch 1/2: loss 1.0000  accuracy 50.00 %  5 images/s  0:20\n");
  progress.start("epoch 2/2", 100);
  clock += 10;
  output.clear();
  progress.update(50, 1.0, 0.5);
  EXPECT_NE(output.find("0:10 left"), std::string::npos) << output;
}

TEST_F(ProgressTest, BarFitsTheTerminal) {
  for (int width : {0, 1, 20, 79, 200}) {
    ProgressOptions bar = options(ProgressOptions::Style::Bar);
    bar.width = width;
    Progress progress(bar, 10);
    progress.start("epoch 1/2", 10);
    clock += 1;
    output.clear();
    progress.update(5, 2.0, 0.25);
    EXPECT_LE(output.size(), std::string("\r\x1b[K").size() + static_cast<size_t>(std::max(width - 1, 0)));
  }
}

TEST_F(ProgressTest, ColourOnlyWhenAskedFor) {
  for (bool colour : {false, true}) {
    ProgressOptions bar = options(ProgressOptions::Style::Bar);
    bar.colour = colour;
    bar.width = 120;
    Progress progress(bar, 10);
    progress.start("epoch", 10);
    clock += 1;
    output.clear();
    progress.update(5, 2.0, 0.25);
    EXPECT_EQ(output.find("\x1b[32m") != std::string::npos, colour);
  }
}

TEST_F(ProgressTest, QuietSaysNothing) {
  Progress progress(options(ProgressOptions::Style::Quiet), 10);
  progress.start("epoch", 10);
  clock += 100;
  progress.update(5, 2.0, 0.25);
  progress.finish("done");
  EXPECT_EQ(output, "");
}

TEST_F(ProgressTest, AnUnfinishedBarIsTakenOff) {
  {
    Progress progress(options(ProgressOptions::Style::Bar), 10);
    progress.start("epoch", 10);
    clock += 1;
    progress.update(5, 2.0, 0.25);
    output.clear();
  }
  EXPECT_EQ(output, "\r\x1b[K");
}

/// Standard error is a terminal of 70 columns while this lives.
class TerminalStderr {
public:
  TerminalStderr() : saved(::dup(STDERR_FILENO)) {
    int slave;
    winsize size = {24, 70, 0, 0};
    if (::openpty(&master, &slave, nullptr, nullptr, &size) != 0)
      std::abort();
    ::dup2(slave, STDERR_FILENO);
    ::close(slave);
  }
  ~TerminalStderr() {
    ::dup2(saved, STDERR_FILENO);
    ::close(saved);
    ::close(master);
  }

private:
  int saved;
  int master;
};

TEST_F(ProgressTest, StderrDecidesTheStyle) {
  auto detect = [](const char *noColour, const char *terminal) {
    ::setenv("NO_COLOR", noColour, 1);
    ::setenv("TERM", terminal, 1);
    TerminalStderr stderrIsTerminal;
    return ProgressOptions::forStderr(/*quiet=*/false);
  };
  ProgressOptions found = detect("", "xterm");
  EXPECT_EQ(found.style, ProgressOptions::Style::Bar);
  EXPECT_TRUE(found.colour);
  EXPECT_EQ(found.width, 70);
  EXPECT_FALSE(detect("1", "xterm").colour);
  EXPECT_EQ(detect("", "dumb").style, ProgressOptions::Style::Lines);
  EXPECT_EQ(ProgressOptions::forStderr(/*quiet=*/true).style, ProgressOptions::Style::Quiet);
}

TEST_F(ProgressTest, Durations) {
  EXPECT_EQ(formatDuration(0), "0:00");
  EXPECT_EQ(formatDuration(7.4), "0:07");
  EXPECT_EQ(formatDuration(754), "12:34");
  EXPECT_EQ(formatDuration(3723), "1:02:03");
  EXPECT_EQ(formatDuration(INFINITY), "-:--");
  EXPECT_EQ(formatDuration(NAN), "-:--");
}

TEST_F(ProgressTest, AResumedPhaseCountsOnlyItsOwnWork) {
  ProgressOptions bar = options(ProgressOptions::Style::Bar);
  bar.width = 120;
  bar.memory = [] { return int64_t(3) << 29; };
  // Of an epoch of 100, 60 were done before; 40 and another epoch are left.
  Progress progress(bar, 140);
  progress.start("epoch 1/2", 100, 60);
  clock += 2;
  progress.update(80, 1.0, std::nullopt);
  EXPECT_NE(output.find(" 80%  loss 1.0000  10 images/s  1.5 GiB  0:12 left"), std::string::npos) << output;
}

} // namespace
