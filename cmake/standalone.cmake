# SPDX-License-Identifier: GPL-2.0-only
#
# What an ns-3 tree would provide, for a build against an installed ns-3:
# the ${lib<module>} variables, build_lib() and build_lib_example().
# find_package(ns3) and pkg-config are of no use here: as Debian packages
# them, both ask for folders and packages that libns3-dev does not bring.

set(COLO_STANDALONE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})

set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Kind of build" FORCE)
endif()
# CMake's own default for this kind switches assert() off; a testbed wants it on.
foreach(language C CXX)
  string(REPLACE "-DNDEBUG" "" CMAKE_${language}_FLAGS_RELWITHDEBINFO
         "${CMAKE_${language}_FLAGS_RELWITHDEBINFO}")
endforeach()

add_compile_options(-Wall -Wextra -Werror)
# Debian's ns-3 is built with its logs, which changes the layout of classes.
add_compile_definitions(NS3_LOG_ENABLE)

find_program(COLO_CCACHE ccache)
if(COLO_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${COLO_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${COLO_CCACHE})
endif()

find_path(NS3_INCLUDE_DIR ns3/core-module.h REQUIRED)
foreach(module core network internet bridge applications traffic-control stats config-store
               flow-monitor)
  find_library(NS3_${module}_LIBRARY ns3-${module} REQUIRED)
  add_library(ns3::${module} SHARED IMPORTED)
  set_target_properties(
    ns3::${module}
    PROPERTIES IMPORTED_LOCATION ${NS3_${module}_LIBRARY}
               INTERFACE_INCLUDE_DIRECTORIES ${NS3_INCLUDE_DIR})
  set(lib${module} ns3::${module})
endforeach()
set(libcolo colo)

function(build_lib)
  cmake_parse_arguments(LIB "" "LIBNAME" "SOURCE_FILES;HEADER_FILES;LIBRARIES_TO_LINK;TEST_SOURCES"
                        ${ARGN})
  # An ns-3 tree flattens public headers into ns3/; here a one-line stub does.
  foreach(header ${LIB_HEADER_FILES})
    get_filename_component(name ${header} NAME)
    file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/include/ns3/${name}
         CONTENT "#include \"${CMAKE_CURRENT_SOURCE_DIR}/${header}\"\n")
  endforeach()
  add_library(${LIB_LIBNAME} SHARED ${LIB_SOURCE_FILES})
  # Nobody replaces single functions of the library, so calls within it may be direct and inline,
  # also from one file into another, which makes a pair cost a sixth less.
  set_target_properties(${LIB_LIBNAME} PROPERTIES INTERPROCEDURAL_OPTIMIZATION_RELEASE ON
                                                  INTERPROCEDURAL_OPTIMIZATION_RELWITHDEBINFO ON)
  target_compile_options(${LIB_LIBNAME} PRIVATE -fno-semantic-interposition)
  target_link_options(${LIB_LIBNAME} PRIVATE -Wl,-Bsymbolic-functions)
  target_include_directories(${LIB_LIBNAME} PUBLIC ${CMAKE_BINARY_DIR}/include)
  target_link_libraries(${LIB_LIBNAME} PUBLIC ${LIB_LIBRARIES_TO_LINK})
endfunction()

function(build_lib_example)
  cmake_parse_arguments(EXAMPLE "" "NAME" "SOURCE_FILES;LIBRARIES_TO_LINK" ${ARGN})
  add_executable(${EXAMPLE_NAME} ${EXAMPLE_SOURCE_FILES})
  target_link_libraries(${EXAMPLE_NAME} ${EXAMPLE_LIBRARIES_TO_LINK})
  set_target_properties(${EXAMPLE_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY
                                                   ${CMAKE_BINARY_DIR}/scenarios)
endfunction()

# Tests: an ns-3 tree runs its own; these belong to the standalone build.
enable_testing()
find_package(Boost 1.74 REQUIRED COMPONENTS unit_test_framework)
# The interpreter that Debian's python3-* packages install into, whatever PATH says.
find_program(COLO_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED)

# colo_add_test(NAME command...) registers a command, run at the top of the
# sources; the label is the name's first word: core, model, scenario, lab, layout.
function(colo_add_test name)
  add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  string(REGEX MATCH "^[a-z0-9]+" label ${name})
  set_tests_properties(
    ${name} PROPERTIES LABELS ${label} TIMEOUT 300
                       ENVIRONMENT "PYTHONDONTWRITEBYTECODE=1;COLO_BUILD_DIR=${CMAKE_BINARY_DIR}")
endfunction()

# colo_add_boost_test(NAME SOURCES file... LIBS library...)
function(colo_add_boost_test name)
  cmake_parse_arguments(TEST "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${TEST_SOURCES})
  target_link_libraries(${name} PRIVATE ${TEST_LIBS} Boost::unit_test_framework)
  target_compile_definitions(${name} PRIVATE "BOOST_TEST_DYN_LINK=")
  target_include_directories(${name} PRIVATE test)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test)
  colo_add_test(${name} ${CMAKE_BINARY_DIR}/test/${name} --color_output=no)
endfunction()

function(colo_add_python_test name file)
  colo_add_test(${name} ${COLO_PYTHON} -m pytest -q -p no:cacheprovider ${file})
endfunction()
