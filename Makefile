# make lab         opens the course in JupyterLab
# make test        proves that all of it works
# make lectures    runs all lectures at laptop scale, twice; keeps their pictures, times and qualities
# make class       a JupyterHub on this machine, to see what a class will see
# make address TO=https://github.com/YOU/COPY   gives a copy its address, everywhere
# make benchmark   measures speed beside other libraries
# make site        builds the solved lectures, exercises and docstrings into web pages: build/site
# make everywhere  what takes longer: every notebook on other machines (bare, offline, the oldest
#                  packages), in Chromium and on a pretended GPU; bad input; the rest of the tests
# PYTHON=...       another Python; a torch that it already has is used, not installed a second time
# Without make: python course.py lab, and so on.
PYTHON ?= python3
NOTEBOOK ?= notebooks/00_start_here.ipynb

.PHONY: lab class address test lectures benchmark site everywhere

lab:
	$(PYTHON) course.py lab $(NOTEBOOK)

address:
	$(PYTHON) course.py address $(TO)

class test lectures benchmark site everywhere:
	$(PYTHON) course.py $@
