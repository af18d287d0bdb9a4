# Every dependency is a Debian package; `tools/setup` installs them all.

find_package(MLIR 22.1 REQUIRED CONFIG HINTS /usr/lib/llvm-22/lib/cmake/mlir)
list(APPEND CMAKE_MODULE_PATH "${MLIR_CMAKE_DIR}" "${LLVM_CMAKE_DIR}")
include(TableGen)
include(AddLLVM)
include(AddMLIR)
separate_arguments(LLVM_DEFINITIONS_LIST NATIVE_COMMAND ${LLVM_DEFINITIONS})

# Code generation links in process. (Two archives of lld; its package file needs the find_package of LLVM repeated.)
find_library(ESPALIER_LLD_ELF lldELF HINTS ${LLVM_LIBRARY_DIR} REQUIRED)
find_library(ESPALIER_LLD_COMMON lldCommon HINTS ${LLVM_LIBRARY_DIR} REQUIRED)
find_library(ESPALIER_ZSTD zstd REQUIRED)
set(ESPALIER_LLD_LIBRARIES ${ESPALIER_LLD_ELF} ${ESPALIER_LLD_COMMON} ${ESPALIER_ZSTD})

find_package(CLI11 2.1 REQUIRED)
find_package(fmt 9 REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(tomlplusplus 3.3 REQUIRED)
find_package(PNG REQUIRED)
find_package(JPEG REQUIRED)
find_package(ZLIB REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(Threads REQUIRED)

# Debian's dnnl package file insists on OpenCL development files that we do not use.
find_library(ESPALIER_DNNL_LIBRARY dnnl REQUIRED)
find_path(ESPALIER_DNNL_INCLUDE oneapi/dnnl/dnnl.h REQUIRED)

if(ESPALIER_BUILD_TESTS)
  find_package(GTest REQUIRED)
  find_program(ESPALIER_LIT lit HINTS /usr/lib/llvm-22/bin REQUIRED)
endif()
