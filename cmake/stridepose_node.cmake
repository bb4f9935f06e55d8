# Builds the live node with cargo, against the messages of installed packages and of this very package, which is not
# installed yet. What r2r needs to know:
# * CMAKE_IDL_PACKAGES: for each message package its share/<package>/cmake folder; r2r lists <package>/msg/*.idl beside it;
# * CMAKE_INCLUDE_DIRS: where the generated C headers of this package are;
# * LD_LIBRARY_PATH: its build script is linked to the message libraries and runs them.
# It caches bindings by the values of these variables, not by what the messages say: a folder name that is a hash of the
# definitions, and exists nowhere, keeps the bindings in step with msg/.
function(stridepose_build_node)
  cmake_parse_arguments(ARG "" "" "MESSAGE_PACKAGES" ${ARGN})
  find_program(CARGO cargo HINTS "$ENV{HOME}/.cargo/bin")
  if(NOT CARGO)
    message(FATAL_ERROR "cargo is missing: install Rust (https://rustup.rs), or build the messages alone with "
      "-DSTRIDEPOSE_BUILD_NODE=OFF")
  endif()

  set(idl_folders "")
  set(library_folders "")
  foreach(package rcl rcl_action rcl_logging_spdlog rcl_yaml_param_parser rmw_implementation ${ARG_MESSAGE_PACKAGES})
    find_package(${package} REQUIRED)
    get_filename_component(prefix "${${package}_DIR}/../../.." ABSOLUTE)
    list(APPEND library_folders "${prefix}/lib")
  endforeach()
  foreach(package ${ARG_MESSAGE_PACKAGES})
    list(APPEND idl_folders "${${package}_DIR}")
  endforeach()
  list(REMOVE_DUPLICATES library_folders)

  file(GLOB definitions CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/msg/*.msg")
  set(hashes "")
  foreach(definition ${definitions})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${definition}")
    file(SHA256 "${definition}" hash)
    string(APPEND hashes "${hash}")
  endforeach()
  string(SHA256 hash "${hashes}")
  list(APPEND idl_folders "${CMAKE_CURRENT_BINARY_DIR}/rosidl_adapter/${PROJECT_NAME}/cmake" "/nonexistent/${hash}/cmake")

  set(include_folders
    "${CMAKE_CURRENT_BINARY_DIR}/rosidl_generator_c"
    "${CMAKE_CURRENT_BINARY_DIR}/rosidl_typesupport_introspection_c")
  set(rustflags "-L native=${CMAKE_CURRENT_BINARY_DIR} -C link-arg=-Wl,-rpath-link,${CMAKE_CURRENT_BINARY_DIR}")
  foreach(folder ${library_folders})
    string(APPEND rustflags " -C link-arg=-Wl,-rpath-link,${folder}")
  endforeach()
  list(JOIN idl_folders ":" idl_folders)
  list(JOIN include_folders ":" include_folders)

  set(target_folder "${CMAKE_CURRENT_BINARY_DIR}/cargo")
  add_custom_target(${PROJECT_NAME}_node ALL
    COMMAND ${CMAKE_COMMAND} -E env
      "RUSTFLAGS=${rustflags}"
      "CMAKE_IDL_PACKAGES=${idl_folders}"
      "CMAKE_INCLUDE_DIRS=${include_folders}"
      "LD_LIBRARY_PATH=${CMAKE_CURRENT_BINARY_DIR}:$ENV{LD_LIBRARY_PATH}"
      ${CARGO} build --profile colcon --locked --features ros --bins --package ${PROJECT_NAME} --target-dir ${target_folder}
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
    COMMENT "cargo build of the node"
    USES_TERMINAL
    VERBATIM)
  add_dependencies(${PROJECT_NAME}_node
    ${PROJECT_NAME}__rosidl_generator_c
    ${PROJECT_NAME}__rosidl_typesupport_c
    ${PROJECT_NAME}__rosidl_typesupport_introspection_c)
  install(PROGRAMS ${target_folder}/colcon/stridepose_node ${target_folder}/colcon/stridepose
    DESTINATION lib/${PROJECT_NAME})
endfunction()

# Brings the pinned ONNX Runtime and installs it beside the node, where the node looks first. Where it cannot be brought
# (no network), the node takes ORT_DYLIB_PATH or the system's.
function(stridepose_install_onnxruntime)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  execute_process(
    COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/scripts/setup.py onnxruntime
    RESULT_VARIABLE failed)
  file(STRINGS scripts/onnxruntime.version version REGEX "^version ")
  string(REPLACE "version " "" version "${version}")
  set(folder "${CMAKE_CURRENT_SOURCE_DIR}/.cache/onnxruntime/${version}")
  if(failed OR NOT EXISTS "${folder}")
    message(WARNING "ONNX Runtime is not installed with the package: set ORT_DYLIB_PATH where the node runs")
  else()
    install(DIRECTORY "${folder}/" DESTINATION lib/${PROJECT_NAME} USE_SOURCE_PERMISSIONS)
  endif()
endfunction()
