"""Sources and what is made of them: compilers, interpreters, and the programs that install for those."""

from __future__ import annotations

from typing import Final

from tests.applications.application import Application

_HELLO: Final = """\
mkdir hello
cat > hello/Makefile <<'END'
objects := main.o $(patsubst %.c,%.o,$(wildcard part-*.c))
hello: $(objects)
	$(CC) -o $@ $^
%.o: %.c hello.h
	$(CC) -O0 -c -o $@ $<
END
echo '#include "hello.h"' > hello/main.c
echo 'int main(void) { int sum = 0;' >> hello/main.c
echo '#include <stdio.h>' > hello/hello.h
for number in $(seq {files}); do
  echo "int part_$number(void);" >> hello/hello.h
  echo "#include \\"hello.h\\"" > hello/part-$number.c
  echo "int part_$number(void) { return $number; }" >> hello/part-$number.c
  echo "sum += part_$number();" >> hello/main.c
done
echo 'printf("hello, %d", sum); puts(""); return 0; }' >> hello/main.c"""

_PACKAGE: Final = """\
mkdir greeting
echo '{"name": "greeting", "version": "1.0.0", "bin": {"greet": "greet.js"}}' > greeting/package.json
printf '#!/usr/bin/env node\\nconsole.log("hello from the package")\\n' > greeting/greet.js
chmod +x greeting/greet.js
cd greeting && npm pack --silent --pack-destination .."""

BUILDING: Final = (
    Application(
        name="make, of a C project",
        program="make",
        package="make",
        prepare=_HELLO,
        command="cp -r ~/hello . && cd hello\nmake -j 4\n./hello",
        sizes={"files": (6, 200)},
        holds="the program runs, and make finds nothing left to do",
        check="""\
cp hello/hello ~/made && chmod +x ~/made
test "$(~/made)" = "hello, $(seq {files} | awk '{ sum += $1 } END { print sum }')"
make -C hello --question""",
    ),
    Application(
        name="npm install",
        program="npm",
        package="npm",
        is_large=True,
        prepare=_PACKAGE,
        command="npm init -y\nnpm install --offline ~/greeting-1.0.0.tgz\nnpx --offline greet",
        holds="what was installed runs, and npm finds the tree as the lock file has it",
        check="test \"$(node_modules/.bin/greet)\" = 'hello from the package'\nnpm ls --offline",
    ),
)
