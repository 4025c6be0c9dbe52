# Writes the files of migrations/ into one C file: an array of struct migration
# (storage/migrations.h), sorted by name. Run by CMakeLists.txt.
file(GLOB FILES RELATIVE ${ROOT} ${ROOT}/*/*.sql ${ROOT}/*/*.json)
list(SORT FILES)
set(TEXT "#include <stddef.h>\n\n#include \"storage/migrations.h\"\n\n")
string(APPEND TEXT "const struct migration migrations[] = {\n")
foreach(FILE ${FILES})
    file(READ ${ROOT}/${FILE} CONTENT HEX)
    string(REGEX REPLACE "(..)" "0x\\1," CONTENT "${CONTENT}")
    string(APPEND TEXT "    {\"${FILE}\", (const char[]) {${CONTENT}0}},\n")
endforeach()
string(APPEND TEXT "    {NULL, NULL},\n};\n")
file(WRITE ${OUTPUT} "${TEXT}")
