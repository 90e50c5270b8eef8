//! Builds the loops for OpenMP, if the C compiler is GCC.

fn main() {
    println!("cargo::rerun-if-changed=src/openmp.c");
    println!("cargo::rustc-check-cfg=cfg(openmp)");
    let mut build = cc::Build::new();
    build.file("src/openmp.c").flag("-fopenmp").opt_level(3).cargo_warnings(false);
    // Others have libraries of their own, which are often not where a linker looks.
    if !build.try_get_compiler().is_ok_and(|compiler| compiler.is_like_gnu()) {
        println!("cargo::warning=OpenMP is left out: the C compiler is not GCC");
        return;
    }
    match build.try_compile("openmp_loops") {
        Ok(()) => {
            println!("cargo::rustc-cfg=openmp");
            println!("cargo::rustc-link-lib=gomp");
        }
        Err(error) => println!("cargo::warning=OpenMP is left out: {error}"),
    }
}
