# make run: the whole service. make install: its set-up alone. make test, test-slow, lint, bench: see below.
# make install-contract: what checks the OpenAPI document beside Python (tests/sdk); `make test` does without.
# PYTHON names the interpreter (the newest from 3.11 on), ARGS are for `bunsen up`, TESTS for pytest.

SERVICE = .venv/.service-installed
DEV = .venv/.dev-installed
NODE = tests/sdk/node_modules/.installed
OASDIFF = .venv/bin/oasdiff
PYTEST = .venv/bin/pytest
PINNED = deploy/install deploy/requirements/uv.txt pyproject.toml

# Who is quiet (`make -s`) isn't told what takes a while.
TELL = @$(if $(findstring s,$(firstword -$(MAKEFLAGS))),:,echo)

# Without the caches that Python writes beside each module, every start would compile for seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run install install-dev install-contract test test-slow lint bench bench-pods clean

run: $(SERVICE)
	@exec .venv/bin/bunsen up $(ARGS)

install: $(SERVICE)

install-dev: $(DEV)

install-contract: $(NODE) $(OASDIFF)

test: $(DEV)
	$(PYTEST) -q -n auto --dist worksteal -m "not slow" $(TESTS)

test-slow: $(DEV)
	$(PYTEST) -v -n 0 -m slow $(TESTS)

lint: $(DEV)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/hadolint Dockerfile

bench: $(DEV)
	.venv/bin/python -m benchmarks $(ARGS)

# On the cluster that KUBECONFIG names, with the images and the host of BUNSEN_ADVERTISE_URL that `bunsen up` needs there.
bench-pods: $(DEV)
	.venv/bin/python -m benchmarks.pods

clean:
	rm -rf .venv build dist .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache tests/sdk/node_modules

$(SERVICE): $(PINNED) deploy/requirements/service.txt
	$(TELL) "bunsen: installing Python's packages into .venv, once; some 10 s, longer where they must be fetched"
	@PYTHON="$(PYTHON)" deploy/install service
	@touch $@

$(DEV): $(PINNED) deploy/requirements/dev.txt
	$(TELL) "bunsen: installing Python's packages into .venv, those for tests too"
	@PYTHON="$(PYTHON)" deploy/install dev
	@touch $@ $(SERVICE)

$(NODE): $(DEV) tests/sdk/package.json tests/sdk/package-lock.json tests/sdk/.npmrc
	@cd tests/sdk && PATH="$(CURDIR)/.venv/bin:$$PATH" npm ci --silent
	@touch $@

$(OASDIFF): $(DEV) tests/sdk/go.mod tests/sdk/go.sum deploy/requirements/go.txt
	@PATH="$(CURDIR)/.venv/bin:$$PATH"; command -v go >/dev/null || deploy/install go; \
	CGO_ENABLED=0 GOFLAGS=-mod=readonly go build -C tests/sdk -o "$(CURDIR)/$@" github.com/oasdiff/oasdiff
	@touch $@
