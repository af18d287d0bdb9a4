# espalier_add_library(NAME [COMPILER] SOURCES ... [TABLEGEN target ...] [LINK lib ...])
#
# A static library with the alias Espalier::<Thing>, installed and exported with the rest. COMPILER marks a library
# that uses MLIR: it gets the precompiled MLIR headers, no exceptions, and links the shared MLIR and LLVM. Without it
# the library belongs to the runtime side and cannot see an MLIR header.
function(espalier_add_library name)
  cmake_parse_arguments(ARG "COMPILER" "" "SOURCES;TABLEGEN;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  string(REGEX REPLACE "^Espalier" "" short ${name})
  add_library(Espalier::${short} ALIAS ${name})
  set_target_properties(${name} PROPERTIES EXPORT_NAME ${short})
  if(ARG_COMPILER)
    espalier_use_mlir(${name} PUBLIC)
    target_compile_options(${name} PRIVATE -fno-exceptions)
    target_precompile_headers(${name} REUSE_FROM EspalierCompilerHeaders)
  endif()
  if(ARG_TABLEGEN)
    add_dependencies(${name} ${ARG_TABLEGEN})
  endif()
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
  install(TARGETS ${name} EXPORT EspalierTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
endfunction()

# espalier_include(NAME folder ...): public headers under each folder, spelled <espalier/...> everywhere.
function(espalier_include name)
  foreach(dir ${ARGN})
    target_include_directories(${name} PUBLIC
      $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/${dir}/include>
      $<BUILD_INTERFACE:${CMAKE_BINARY_DIR}/${dir}/include>
      $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  endforeach()
endfunction()

# Headers and shared libraries of LLVM and MLIR. Never add a static MLIRxxx target beside them: every type would
# exist twice in the process.
function(espalier_use_mlir name scope)
  target_include_directories(${name} SYSTEM ${scope} ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
  target_compile_definitions(${name} ${scope} ${LLVM_DEFINITIONS_LIST})
  target_link_libraries(${name} ${scope} MLIR LLVM)
endfunction()

# One translation unit owns the precompiled header that all compiler libraries reuse.
file(WRITE "${CMAKE_BINARY_DIR}/EspalierCompilerHeaders.cpp" "")
add_library(EspalierCompilerHeaders OBJECT "${CMAKE_BINARY_DIR}/EspalierCompilerHeaders.cpp")
espalier_use_mlir(EspalierCompilerHeaders PUBLIC)
target_compile_options(EspalierCompilerHeaders PRIVATE -fno-exceptions)
# A precompiled header names the file that it was made from: ccache must not bring that of a folder which is gone.
set_target_properties(EspalierCompilerHeaders PROPERTIES CXX_COMPILER_LAUNCHER "")
set(compiler_headers
  <mlir/IR/Builders.h> <mlir/IR/BuiltinAttributes.h> <mlir/IR/BuiltinTypes.h> <mlir/IR/Dialect.h>
  <mlir/IR/OpImplementation.h> <mlir/IR/PatternMatch.h> <mlir/Interfaces/FunctionInterfaces.h>
  <mlir/Interfaces/InferTypeOpInterface.h> <mlir/Interfaces/SideEffectInterfaces.h> <mlir/Pass/Pass.h>)
target_precompile_headers(EspalierCompilerHeaders PRIVATE ${compiler_headers})
# What the precompiled header depends on besides the flags, which ccache sees itself. The time tells packages apart.
file(TIMESTAMP "${LLVM_LIBRARY_DIR}/libMLIR.so" mlir_time UTC)
foreach(suffix pch gch)
  file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/CMakeFiles/EspalierCompilerHeaders.dir/cmake_pch.hxx.${suffix}.sum"
       CONTENT "@CMAKE_CXX_COMPILER_VERSION@ @LLVM_PACKAGE_VERSION@ @mlir_time@ @compiler_headers@\n" @ONLY)
endforeach()
