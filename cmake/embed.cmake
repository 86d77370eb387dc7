# cagen_embed(SOURCES NAME FILE): adds a source to the list SOURCES that defines
# "const char NAME[]", the bytes of FILE with a NUL behind them.
function(cagen_embed sources name file)
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/embedded/${name}.c
       CONTENT "extern const char ${name}[];\nconst char ${name}[] = {\n${bytes}0};\n" @ONLY)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  set(${sources} ${${sources}} ${CMAKE_BINARY_DIR}/embedded/${name}.c PARENT_SCOPE)
endfunction()
