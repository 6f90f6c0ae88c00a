"""git: an object store of read-only files, lock files and renames over what is there."""

from __future__ import annotations

from functools import partial
from typing import Final

from tests.applications.application import Application

_PROJECT: Final = """\
git config --global user.name Ann
git config --global user.email ann@example.org
git config --global init.defaultBranch main
git init --quiet project
cd project
for commit in 1 2 3; do
  for number in $(seq {files}); do
    mkdir -p module-$number
    head -c 2000 /dev/urandom > module-$number/source
  done
  git add .
  git commit --quiet -m "commit $commit"
done
git clone --quiet --bare . ../project.git"""

_WHOLE: Final = """\
git -C clone fsck --full --strict
test -z "$(git -C clone --no-optional-locks status --porcelain)\""""

_git = partial(Application, program="git", package="git", prepare=_PROJECT, sizes={"files": (8, 60)})

VERSION_CONTROL: Final = (
    _git(
        name="git clone",
        command="git clone ~/project.git clone",
        holds="git fsck finds every object whole, git status nothing changed",
        check=_WHOLE,
    ),
    _git(
        name="git commit and push",
        command="""\
git clone ~/project.git clone
cd clone
echo 'written in the mount' > new
git add new
git commit -m 'from the mount'
git push origin main""",
        holds="the commit is in the clone and in the repository it was pushed to",
        check=f"""\
{_WHOLE}
test "$(git -C clone show main:new)" = 'written in the mount'
git --git-dir="$HOME/project.git" log --format=%s main | grep -qx 'from the mount'""",
    ),
    _git(
        name="git gc",
        command="git clone ~/project.git clone\ngit -C clone gc --aggressive --prune=now",
        holds="everything is in one pack, and git fsck finds it whole",
        check=f"""\
{_WHOLE}
test "$(ls clone/.git/objects/pack/*.pack | wc -l)" = 1""",
    ),
    _git(
        name="git worktree",
        command="""\
git clone ~/project.git clone
git -C clone worktree add -b topic ../topic
echo 'of the topic' > topic/new
git -C topic add new
git -C topic commit -m 'on a branch of its own'
git -C clone merge topic
git -C clone worktree remove ../topic""",
        holds="the commit of the work tree is in main, and the work tree is gone",
        check=f"""\
{_WHOLE}
test "$(cat clone/new)" = 'of the topic'
test ! -e topic""",
    ),
    _git(
        name="git stash, switch and rebase",
        command="""\
git clone ~/project.git clone
cd clone
git switch -c topic HEAD~2
echo 'of the topic' > new
git add new
git commit -m 'on an older one'
echo 'half done' >> new
git stash
git rebase main
git stash pop
git commit -a -m 'done'""",
        holds="both commits stand on main, and no change is left over",
        check=f"""\
{_WHOLE}
test "$(git -C clone log --format=%s main..topic | tr '\\n' ,)" = 'done,on an older one,'""",
    ),
)
