# make demo         a CX server of your own with a sample account, mounted at ./cx-demo (Ctrl-C ends it)
# make test         the whole test suite        (ARGS="tests/core -x" for a part of it)
# make test-storage the server's tests over each storage: SQLite or PostgreSQL, folder or bucket
# make test-long    the long forms of its random tests: thousands of stories, hundreds of kills; half an hour
# make soak         a mount under load for half an hour while a tenth of all requests fails; a table  (SECONDS=600 ARGS="--seed 1")
# make reliability  whatever can be broken is broken, and counted in docs/reliability.md (ARGS=--long for the long forms)
# make desktop      real file managers on a screen of their own: packages thunar, pcmanfm, xvfb and what else they need
# make conformance  what the mount does beside what a local folder does; writes the table of docs/conformance.md
# make mutants      whether a test notices when the rules or the journal are changed in one place; the tables of docs/reliability.md
# make coverage     the whole test suite, and which branches of each layer it takes; the table of docs/reliability.md
# make applications git, sqlite, rsync, editors, compilers, fio, stress-ng and more in full; writes docs/applications.md
# make check        format, lint, types, layers
# make bench        cxfs beside what could be mounted instead, in figures: hours, as root  (ARGS="--rtt 0 --only cxfs,sshfs")
# make bench-feed   how soon a mount shows what another client did: median and p99, in a minute
# make capacity     what a server carries: accounts of a million objects, two processes; the tables of docs/server.md, docs/scale.md
# make man          man pages in build/man, of the same words as the help pages
# make clean        removes what the others made
#
# Each sets up what it needs by itself: missing Debian packages (saying which; with sudo unless you are root), a virtual
# environment in .venv, cxfs in it. PYTHON=/path/to/python chooses the interpreter; it must be 3.11 or newer.

VENV := .venv
STAMP := $(VENV)/.installed
ARGS ?=
MOUNTPOINT ?= cx-demo
SECONDS ?= 1800

.PHONY: demo test test-storage test-long soak applications conformance reliability mutants coverage desktop check bench bench-feed capacity man clean
.DELETE_ON_ERROR:
.NOTPARALLEL:

demo: $(STAMP)-demo
	@$(VENV)/bin/cxfs demo $(MOUNTPOINT)

test: $(STAMP)-test
	@$(VENV)/bin/python -m pytest -q -n auto --dist loadfile $(ARGS)

test-storage: $(STAMP)-test
	@set -e; for storage in sqlite+folder sqlite+bucket postgresql+folder postgresql+bucket; do \
	  echo "$$storage"; $(VENV)/bin/python -m pytest -q -n auto --dist loadfile --storage $$storage tests/server $(ARGS); \
	done

test-long: $(STAMP)-test
	@$(VENV)/bin/python -m pytest -q -m long $(ARGS)

conformance: $(STAMP)-test
	@$(VENV)/bin/python -m tests.conformance $(ARGS)
	@$(VENV)/bin/python -m tests.headlines

soak: $(STAMP)-test
	@$(VENV)/bin/python -m tests.soak --seconds $(SECONDS) $(ARGS)

reliability: $(STAMP)-test
	@$(VENV)/bin/python -m tests.reliability $(ARGS)
	@$(VENV)/bin/python -m tests.headlines

desktop: $(STAMP)-test
	@missing=$$(for each in Xvfb openbox thunar pcmanfm xdotool import gio dbus-daemon; do \
	  command -v $$each >/dev/null || echo $$each; done); \
	  [ -z "$$missing" ] || { echo "missing:" $$missing "(apt install xvfb openbox thunar pcmanfm tumbler xdotool" \
	  "imagemagick dbus gvfs libglib2.0-bin adwaita-icon-theme)"; exit 1; }
	@$(VENV)/bin/python -m pytest -q -s -m desktop tests/desktop $(ARGS)

applications: $(STAMP)-applications
	@$(VENV)/bin/python -m tests.applications $(ARGS)
	@$(VENV)/bin/python -m tests.headlines

mutants: $(STAMP)-mutants
	@$(VENV)/bin/python -m tests.mutation $(ARGS)

coverage: $(STAMP)-coverage
	@$(VENV)/bin/python -m tests.layers $(ARGS)

check: $(STAMP)-check
	@$(VENV)/bin/ruff format --quiet --check . || { echo "format: run $(VENV)/bin/ruff format"; exit 1; }
	@$(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/mypy --no-error-summary
	@broken=$$($(VENV)/bin/lint-imports 2>&1) || { echo "$$broken"; exit 1; }

bench: $(STAMP)-test
	@$$([ "$$(id -u)" = 0 ] || echo sudo) $(VENV)/bin/python -m tests.bench run $(ARGS)

bench-feed: $(STAMP)-test
	@$(VENV)/bin/python -m tests.bench.visible $(ARGS)

capacity: $(STAMP)-test
	@$$([ "$$(id -u)" = 0 ] || echo sudo) $(VENV)/bin/python -m tests.capacity $(ARGS)

man: $(STAMP)-demo
	@$(VENV)/bin/python -m cxfs.cli.manual build/man

# One stamp for each set of dependencies: they are installed anew only when pyproject.toml asks for others.
$(STAMP)-%: pyproject.toml .ci/setup
	@.ci/setup $*
	@touch $@

clean:
	@rm -rf $(VENV) build dist mutants *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find cxfs tests -name __pycache__ -type d -prune -exec rm -rf {} +
