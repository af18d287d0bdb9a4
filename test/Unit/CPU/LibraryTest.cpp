#include "Compile.h"
