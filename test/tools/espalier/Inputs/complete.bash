# What a completion script offers for the last word: complete.bash SCRIPT WORD...
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_espalier
printf '%s\n' "${COMPREPLY[@]}"
