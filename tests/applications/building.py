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

_WHEEL: Final = """\
python3 - <<'END'
import zipfile
with zipfile.ZipFile("greeting-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("greeting/__init__.py", "def main():\\n    print('hello from the wheel')\\n")
    wheel.writestr("greeting-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: greeting\\nVersion: 1.0\\n")
    wheel.writestr("greeting-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr("greeting-1.0.dist-info/entry_points.txt", "[console_scripts]\\ngreet = greeting:main\\n")
    wheel.writestr("greeting-1.0.dist-info/RECORD", "")
END"""

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
test "$(hello/hello)" = "hello, $(seq {files} | awk '{ sum += $1 } END { print sum }')"
make -C hello --question""",
    ),
    Application(
        name="pip install",
        program="python3",
        package="python3-venv",
        prepare=_WHEEL,
        command="""\
python3 -m venv --without-pip env
python3 -m pip --python env/bin/python install --no-index ~/greeting-1.0-py3-none-any.whl
env/bin/greet""",
        holds="what was installed runs",
        check="test \"$(env/bin/greet)\" = 'hello from the wheel'",
    ),
    Application(
        name="python -m venv, with pip in it",
        program="python3",
        package="python3-venv",
        is_large=True,
        prepare=_WHEEL,
        command="python3 -m venv env\nenv/bin/pip install --no-index ~/greeting-1.0-py3-none-any.whl\nenv/bin/greet",
        holds="what was installed runs, and pip finds it whole",
        check="test \"$(env/bin/greet)\" = 'hello from the wheel'\nenv/bin/pip --no-cache-dir check",
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
