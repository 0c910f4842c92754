# SPDX-FileCopyrightText: 2026 the pqpool authors
# SPDX-License-Identifier: PostgreSQL
# find_package(pqpool) and pkg-config pqpool, from any prefix.
include(CMakePackageConfigHelpers)

install(TARGETS pqpool_shared pqpool_static EXPORT pqpool)
install(FILES include/pqpool/pqpool.h include/pqpool/event.h
              include/pqpool/rpool.h
              include/pqpool/export.h include/pqpool/literal.h
              ${PROJECT_BINARY_DIR}/include/pqpool/version.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/pqpool)
install(FILES docs/options.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(EXPORT pqpool NAMESPACE pqpool:: FILE pqpool-targets.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/pqpool)
configure_package_config_file(cmake/pqpool-config.cmake.in pqpool-config.cmake
    INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/pqpool)
write_basic_package_version_file(pqpool-config-version.cmake
    COMPATIBILITY ${abi_compatibility})
install(FILES ${PROJECT_BINARY_DIR}/pqpool-config.cmake
              ${PROJECT_BINARY_DIR}/pqpool-config-version.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/pqpool)
# The way from where pqpool.pc is installed to the prefix, wherever that is.
cmake_path(SET pc_dir NORMALIZE
           ${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/pkgconfig)
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY ${pc_dir}
           OUTPUT_VARIABLE pc_prefix)
configure_file(cmake/pqpool.pc.in pqpool.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/pqpool.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
