# make lab         opens the course in JupyterLab
# make test        proves that all of it works
# make lectures    runs all lectures at laptop scale; keeps their pictures, times and qualities
# make benchmark   measures speed beside other libraries
# make everywhere  runs every notebook on other machines: bare, offline, with the oldest packages
# PYTHON=...       another Python; a torch that it already has is used, not installed a second time
PYTHON ?= python3
NOTEBOOK ?= notebooks/00_start_here.ipynb
BIN := $(if $(filter Windows_NT,$(OS)),Scripts,bin)
RUN := .venv/$(BIN)/python
RUN_TEST := .venv-test/$(BIN)/python
# Jupyter refuses to run as root unless it is told to: in containers there is nobody else.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

.PHONY: lab test lectures benchmark everywhere

lab: .venv/ready
	$(RUN) -m jupyterlab $(NOTEBOOK) --ServerApp.ip=127.0.0.1 --log-level=WARN $(AS_ROOT)

test: .venv-test/ready
	$(RUN_TEST) tests/run.py

lectures: .venv-test/ready
	$(RUN_TEST) -m course_lib.build --execute

benchmark: .venv-test/ready
	$(RUN_TEST) -m pip install --quiet torch-fidelity denoising-diffusion-pytorch diffusers
	$(RUN_TEST) -m pytest tests/benchmarks -m benchmark -s --readme

everywhere: .venv-test/ready
	$(RUN_TEST) -m pytest tests/test_everywhere.py -m everywhere

.venv/ready: pyproject.toml
	$(PYTHON) tests/make_environment.py .venv lab

# The authoring tools live in a second, thin environment on top of the first: nbgrader adds buttons
# to every JupyterLab that it is installed beside.
.venv-test/ready: .venv/ready
	$(RUN) tests/make_environment.py .venv-test test
