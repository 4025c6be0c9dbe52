# Writes the scripts of the Redis journal into one C file: journal_redis_append.lua
# becomes `const char journal_redis_append_lua[]`. Run by CMakeLists.txt.
file(GLOB FILES RELATIVE ${ROOT} ${ROOT}/journal_redis_*.lua)
list(SORT FILES)
set(TEXT "#include \"storage/journal_redis_scripts.h\"\n\n")
foreach(FILE ${FILES})
    file(READ ${ROOT}/${FILE} CONTENT HEX)
    string(REGEX REPLACE "(..)" "0x\\1," CONTENT "${CONTENT}")
    string(REGEX REPLACE "[.]" "_" NAME ${FILE})
    string(APPEND TEXT "const char ${NAME}[] = {${CONTENT}0};\n")
endforeach()
file(WRITE ${OUTPUT} "${TEXT}")
