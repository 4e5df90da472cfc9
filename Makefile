# Every target sets up what it needs; the second time nothing is downloaded.
.PHONY: run test oracles lint fuzz bench screenshots clean

VENV := .venv
PYTHON := $(VENV)/bin/python
PIP := $(PYTHON) -m pip --quiet --disable-pip-version-check
# the first interpreter that works and is new enough, by trying: a version switcher may offer names that do not run
INTERPRETER := $(shell for name in python3.11 python3; do \
	if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$name; break; fi; done)
# programs that take other releases of zarr than ours, or of each other's, live in environments of their own
ORACLES := .venv-copick/.ready .venv-ome-zarr/.ready
# a virtual display of its own, of known size, keeps test windows off the user's screen
SCREEN := $(shell command -v dpkg >/dev/null && echo 'xvfb-run -a -s "-screen 0 1600x1000x24"')

run: $(VENV)/.ready-run
	@if [ ! -e app/launch.py ] || [ "$(HEADLESS)" = 1 ] || [ "$$(uname)$$DISPLAY$$WAYLAND_DISPLAY" = Linux ]; then \
		$(PYTHON) main.py demo --out results; \
	else \
		sh resources/system-packages.sh && $(PYTHON) main.py; \
	fi

# everything on PyQt5, then what depends on the binding once more on PyQt6
test: $(VENV)/.ready-test $(ORACLES)
	sh resources/system-packages.sh
	$(SCREEN) $(PYTHON) -m pytest
	QT_API=pyqt6 $(SCREEN) $(PYTHON) -m pytest -m 'not engine' tests/test_gui_*.py

# copick and ome-zarr themselves, against what is read and written here; `make test` runs these tests too
oracles: $(VENV)/.ready-test $(ORACLES)
	$(PYTHON) -m pytest tests/test_oracles.py

lint: $(VENV)/.ready-lint
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(VENV)/bin/lint-imports --no-logo

# ten thousand damaged files for every reader; takes most of an hour, so it stays out of `make test`
fuzz: $(VENV)/.ready-test
	FUZZ_CASES=10000 nice -n 15 $(PYTHON) -m pytest tests/test_io_volumes_fuzz.py
	PARTICLE_FUZZ=10000 nice -n 15 $(PYTHON) -m pytest tests/test_particle_formats.py -k damaged

# short runs; each prints its ratio to a baseline in the same run
bench: $(VENV)/.ready-test
	PYTHONPATH=. $(PYTHON) benchmarks/inference.py --shape 72 160 160 --rounds 2 --few 1
	PYTHONPATH=. $(PYTHON) benchmarks/mp_nms.py --shape 64 256 256
	PYTHONPATH=. $(PYTHON) benchmarks/training.py --rounds 2 --steps 2
	PYTHONPATH=. $(PYTHON) benchmarks/reading.py
	PYTHONPATH=. $(PYTHON) benchmarks/scaling.py

screenshots: $(VENV)/.ready-test
	sh resources/system-packages.sh
	$(SCREEN) $(PYTHON) docs/screenshots.py

clean:
	rm -rf $(VENV) .venv-copick .venv-ome-zarr results build *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(VENV)/bin/pip:
	@test -n "$(INTERPRETER)" || { echo "Python 3.11 or newer is needed, but neither python3.11 nor python3 is one: install it first." >&2; exit 1; }
	@$(INTERPRETER) -m venv $(VENV) || { echo "The environment could not be made: on Debian, install python3-venv first." >&2; exit 1; }

# .ready-test stands for "installed with the extra test"; the build back end is installed first, so that pip fetches no second copy of it
$(VENV)/.ready-%: setup.cfg constraints.txt | $(VENV)/bin/pip
	@echo "Installing what is needed into $(VENV); the first time this fetches a few GB (most of it PyTorch) and takes minutes."
	@$(PIP) install -c constraints.txt 'setuptools>=77'
	@$(PIP) install -c constraints.txt --no-build-isolation -e '.$(if $(filter-out run,$*),[$*])'
	@touch $@

# only what the tests load of them, as exact releases; without pip and compiled files, which saves half the time
.venv-copick/.ready: tests/oracle_copick.txt | $(VENV)/bin/pip
.venv-ome-zarr/.ready: tests/oracle_ome_zarr.txt | $(VENV)/bin/pip
$(ORACLES):
	@echo "Installing $< into $(@D)."
	@rm -rf $(@D)
	@$(INTERPRETER) -m venv --without-pip $(@D)
	@$(PIP) --python $(@D)/bin/python install --no-deps --no-compile -r $<
	@touch $@
