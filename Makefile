# make lab    opens the course in JupyterLab      make test        proves that all of it works
# make build  rebuilds the notebooks              make benchmark   measures speed
# PYTHON=...  another Python; a torch that it already has is used, not installed a second time
PYTHON ?= python3
NOTEBOOK ?= notebooks/00_start_here.ipynb
BIN := $(if $(filter Windows_NT,$(OS)),Scripts,bin)
RUN := .venv/$(BIN)/python
RUN_TEST := .venv-test/$(BIN)/python
# Jupyter refuses to run as root unless it is told to: in containers there is nobody else.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

.PHONY: lab test build benchmark

lab: .venv/ready
	$(RUN) -m jupyterlab $(NOTEBOOK) --ServerApp.ip=127.0.0.1 --log-level=WARN $(AS_ROOT)

test: .venv-test/ready
	$(RUN_TEST) tests/run.py

build: .venv-test/ready
	$(RUN_TEST) -m course_lib.build --execute

benchmark: .venv-test/ready
	$(RUN_TEST) -m pytest tests/benchmarks -m benchmark -s

.venv/ready: pyproject.toml
	$(PYTHON) tests/make_environment.py .venv lab

# The authoring tools live in a second, thin environment on top of the first: nbgrader adds buttons
# to every JupyterLab that it is installed beside.
.venv-test/ready: .venv/ready
	$(RUN) tests/make_environment.py .venv-test test
