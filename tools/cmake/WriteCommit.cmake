# cmake -DSOURCE=<folder> -DOUTPUT=<header> -P WriteCommit.cmake: the commit that the sources are at, if they are in a
# git checkout. The header keeps its time when nothing changed.
execute_process(COMMAND git -C "${SOURCE}" describe --always --dirty --abbrev=12 --exclude=*
                OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed)
  set(commit "unknown")
endif()
file(CONFIGURE OUTPUT "${OUTPUT}" CONTENT "#define ESPALIER_COMMIT \"@commit@\"\n" @ONLY)
