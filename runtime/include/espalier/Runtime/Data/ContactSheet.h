//===- ContactSheet.h - A picture of what a net sees ------------*- C++ -*-===//

#ifndef ESPALIER_RUNTIME_DATA_CONTACTSHEET_H
#define ESPALIER_RUNTIME_DATA_CONTACTSHEET_H

#include "espalier/Runtime/Data/View.h"

namespace espalier::rt {

struct ContactSheetOptions {
  int64_t columns = 10;
  int64_t maxRows = 40; ///< classes beyond these are left out
  /// Small images are repeated pixel by pixel until their shorter side has about as many pixels.
  int64_t minSide = 64;
};

/// A row of images for each class: its first samples in the order of the set, through `view` and back from normalised
/// values to pixels. Unsupported for features.
Expected<Image> contactSheet(const Dataset &dataset, const View &view, const ViewKey &key,
                             const ContactSheetOptions &options = {});

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_DATA_CONTACTSHEET_H
