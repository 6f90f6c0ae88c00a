"""Whole trees in and out: copies, mirrors and archives; and programs that walk through them."""

from __future__ import annotations

from functools import partial
from typing import Final

from tests.applications.application import Application

_TREE: Final = """\
for part in 1 2 3; do
  mkdir -p tree/part-$part/deep/deeper
  for number in $(seq {files}); do
    seq $number $((number * 40)) > tree/part-$part/$number.txt
    head -c $((number * 500)) /dev/urandom > tree/part-$part/deep/$number.bin
  done
done
head -c 2000000 /dev/urandom > tree/large
echo 'a name with a space' > 'tree/a b'
echo umlaut > tree/übermäßig
touch tree/empty
mkdir tree/nothing
ln -s part-1 tree/link
ln -s nowhere/at/all tree/dangling
printf '#!/bin/sh\\necho ran\\n' > tree/program
chmod 750 tree/program
chmod 600 tree/part-1/1.txt
find tree -exec touch -h -d '2012-10-22 21:26:47.25' {} +"""

_SAME: Final = "diff -r --no-dereference ~/tree tree"

_tree = partial(Application, prepare=_TREE, sizes={"files": (5, 60)})
_rsync = partial(_tree, program="rsync", package="rsync")

_IMAGE: Final = """\
head -c {bytes} /dev/urandom > image
head -c $(({bytes} / 2)) image > changed
echo 'in the middle' >> changed
tail -c +$(({bytes} / 2 + 15)) image >> changed"""

TREES: Final = (
    _tree(
        name="cp -a",
        program="cp",
        package="coreutils",
        command="cp -a ~/tree tree\ncp -a tree again\nmv again moved\nrm -r moved/part-1",
        holds="the tree is the same, the moved copy too, but for what was removed",
        check=f"{_SAME}\ntest \"$(diff -r --no-dereference tree moved)\" = 'Only in tree: part-1'",
    ),
    _rsync(
        name="rsync -a",
        command="rsync -a ~/tree/ tree",
        holds="the tree is the same, with its times: rsync finds nothing left to do",
        check=f"""\
{_SAME}
test -z "$(rsync -a --dry-run --itemize-changes ~/tree/ tree)"
test "$(stat -c %Y tree/large)" = 1350941207""",
    ),
    _rsync(
        name="rsync, over a file",
        prepare="echo before > letter.txt; echo afterwards > changed",
        command="rsync -a ~/changed letter.txt",
        saves="letter.txt",
        sizes={},
        holds="the file is replaced by the new one",
        check='test "$(cat letter.txt)" = afterwards',
    ),
    _rsync(
        name="rsync --checksum",
        command="""\
cp -r ~/tree tree
rsync -a --checksum --itemize-changes ~/tree/ tree > ~/said""",
        holds="files that differ in nothing but their times are not sent again",
        check=f"{_SAME}\ntest -z \"$(grep '^>f' ~/said)\"",
    ),
    _rsync(
        name="rsync --delete",
        command="""\
rsync -a ~/tree/ tree
rm -r ~/tree/part-2 ~/tree/large
rsync -a --delete ~/tree/ tree""",
        holds="what the source has no more is gone, folders too",
        check=_SAME,
    ),
    _rsync(
        name="rsync --inplace",
        prepare=f"{_IMAGE}\ntouch -d 2012-10-22 changed",
        command="rsync -a --inplace --no-whole-file ~/changed image",
        saves="image",
        sizes={"bytes": (2_000_000, 100_000_000)},
        holds="the file is changed where it stands",
        check="cmp image ~/changed",
    ),
    _tree(
        name="tar",
        program="tar",
        package="tar",
        command="""\
tar --create --gzip --file tree.tar.gz --directory ~ tree
tar --extract --file tree.tar.gz
tar --compare --file tree.tar.gz""",
        holds="tar finds content, sizes, times, owners and modes as they are in the archive",
        check=f"{_SAME}\ntar --compare --file tree.tar.gz",
    ),
    _tree(
        name="extended attributes by setfattr, cp, rsync and tar",
        program="getfattr",
        package="attr",
        prepare="",
        command="""\
mkdir tree
echo blue > tree/sky
setfattr -n user.colour -v blue tree tree/sky
cp -a tree copy
rsync -a --xattrs --filter='-x user.cx.*' tree/ mirror
tar --create --xattrs --xattrs-exclude='user.cx.*' --file tree.tar tree
mkdir out
tar --extract --xattrs --file tree.tar --directory out""",
        sizes={},
        holds="the copy, the mirror and what comes out of the archive have them",
        check="""\
for file in tree tree/sky copy copy/sky mirror mirror/sky out/tree out/tree/sky; do
  test "$(getfattr --only-values -n user.colour $file)" = blue
done""",
    ),
    _tree(
        name="zip and unzip",
        program="zip",
        package="zip",
        command="""\
cp -r ~/tree tree
zip -r --symlinks tree.zip tree
echo 'added later' > tree/later
zip -r --symlinks -u tree.zip tree
unzip -q tree.zip -d out""",
        holds="the archive tests well, and what comes out of it is what went in",
        check="unzip -t tree.zip > ~/said\ndiff -r --no-dereference tree out/tree",
    ),
    _tree(
        name="find -exec",
        program="find",
        package="findutils",
        command="""\
cp -r ~/tree tree
find tree -name '*.txt' -exec gzip {} +
find tree -name '*.bin' -exec mv {} {}.moved ';'
find tree -type d -empty -delete""",
        holds="every file was reached once, in folders that change meanwhile",
        check="""\
test "$(find tree -name '*.txt.gz' | wc -l)" = $((3 * {files}))
test "$(find tree -name '*.bin.moved' | wc -l)" = $((3 * {files}))
test -z "$(find tree -name '*.txt' -o -name '*.bin' -o -name nothing)"
zcat tree/part-2/3.txt.gz | cmp - ~/tree/part-2/3.txt""",
    ),
    _tree(
        name="ripgrep",
        program="rg",
        package="ripgrep",
        command="cp -r ~/tree tree\nrg --mmap --count-matches 7 tree | sort > ~/found",
        holds="it finds what grep finds in the original",
        check="""\
found=$(rg --no-filename --count-matches 7 tree -g '*.txt' | awk '{ sum += $1 } END { print sum }')
test "$found" = "$(grep -r -o 7 ~/tree --include='*.txt' | wc -l)\"""",
    ),
    _tree(
        name="sed -i",
        program="sed",
        package="sed",
        command="cp -r ~/tree tree\nsed -i 's/7/seven/g' tree/*/*.txt",
        holds="every file is replaced by what sed made of it, and no temporary one is left",
        check="""\
test -z "$(grep -r -l 7 tree --include='*.txt')"
sed 's/7/seven/g' ~/tree/part-1/2.txt | cmp - tree/part-1/2.txt
test "$(find tree | wc -l)" = "$(find ~/tree | wc -l)\"""",
    ),
    Application(
        name="sed -i, one file",
        program="sed",
        package="sed",
        prepare="printf 'colour = red\\n' > config",
        command="sed -i s/red/blue/ config",
        saves="config",
        holds="the file is replaced by what sed made of it",
        check="test \"$(cat config)\" = 'colour = blue'",
    ),
)
