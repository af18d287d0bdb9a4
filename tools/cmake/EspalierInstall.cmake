# `cmake --install` and find_package(Espalier): headers, TableGen files, libraries, tools.

include(CMakePackageConfigHelpers)
foreach(dir dialects passes frontend runtime)
  foreach(root ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
    install(DIRECTORY ${root}/${dir}/include/espalier DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} OPTIONAL
            FILES_MATCHING PATTERN "*.h" PATTERN "*.td" PATTERN "*.inc")
  endforeach()
endforeach()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Espalier)
install(EXPORT EspalierTargets NAMESPACE Espalier:: DESTINATION ${package_dir})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/EspalierConfig.cmake.in
  ${CMAKE_BINARY_DIR}/EspalierConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/EspalierConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/EspalierConfig.cmake ${CMAKE_BINARY_DIR}/EspalierConfigVersion.cmake
        DESTINATION ${package_dir})
