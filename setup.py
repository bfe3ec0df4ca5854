# SPDX-License-Identifier: Apache-2.0
"""Everything the build knows. Runs with setuptools 53 and Cython 0.29.22 (RHEL 9) up to today's.

Three switches, each an environment variable set to 1:
  MALDITO_SANITIZE  address and undefined-behaviour sanitizers; the interpreter needs libasan preloaded
  MALDITO_COVERAGE  gcov
  MALDITO_DEBUG     -O0, assertions, Cython's line tracebacks
"""

import os
import re
from glob import glob

from Cython.Build import cythonize
from setuptools import Extension, setup


def switched_on(name):
    return os.environ.get(name, "0") not in ("", "0")


def compiler_flags():
    # Cython's own C has parameters that it doesn't use.
    flags = ["-std=c11", "-Wall", "-Wextra", "-Wno-unused-parameter", "-O2"]
    if switched_on("MALDITO_DEBUG"):
        flags += ["-O0", "-g", "-UNDEBUG"]
    if switched_on("MALDITO_SANITIZE"):
        flags += ["-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined"]
        flags += ["-fno-sanitize-recover=undefined"]
    if switched_on("MALDITO_COVERAGE"):
        flags += ["-O0", "--coverage"]
    return flags


def linker_flags():
    flags = []
    if switched_on("MALDITO_SANITIZE"):
        flags += ["-fsanitize=address,undefined"]
    if switched_on("MALDITO_COVERAGE"):
        flags += ["--coverage"]
    return flags


with open("audisp_maldito/__init__.py", encoding="utf-8") as source:
    version = re.search(r'^__version__ = "(.+)"', source.read(), re.MULTILINE).group(1)
with open("README.md", encoding="utf-8") as readme:
    description = readme.read()

native = Extension(
    "audisp_maldito._native",
    # The launcher is a program of its own.
    ["audisp_maldito/_native.pyx", *sorted(set(glob("csrc/*.c")) - {"csrc/launcher.c"})],
    include_dirs=["csrc"],
    depends=[*sorted(glob("csrc/*.h")), "audisp_maldito/_csrc.pxd"],
    extra_compile_args=compiler_flags(),
    extra_link_args=linker_flags(),
)

setup(
    name="audisp-maldito",
    version=version,
    description="An auditd plugin that says which SSH identity did what",
    long_description=description,
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.9",
    install_requires=["PyYAML"],
    # python-systemd needs libsystemd's headers to build: distributions ship it, PyPI has the source only.
    extras_require={"journal": ["systemd-python"]},
    packages=["audisp_maldito", "audisp_maldito.doctor"],
    package_data={"audisp_maldito": ["data/*", "py.typed", "*.pyi"]},
    include_package_data=False,
    entry_points={"console_scripts": ["maldito = audisp_maldito.cli:main"]},
    ext_modules=cythonize([native], build_dir="build/cython", language_level=3),
    zip_safe=False,
    classifiers=[
        "Environment :: No Input/Output (Daemon)",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: C",
        "Programming Language :: Cython",
        "Programming Language :: Python :: 3",
        "Topic :: Security",
        "Topic :: System :: Logging",
    ],
)
