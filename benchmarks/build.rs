//! Builds the loops for OpenMP, if the C compiler has it.

fn main() {
    println!("cargo::rerun-if-changed=src/openmp.c");
    println!("cargo::rustc-check-cfg=cfg(openmp)");
    let mut build = cc::Build::new();
    build.file("src/openmp.c").flag("-fopenmp").opt_level(3).cargo_warnings(false);
    match build.try_compile("openmp_loops") {
        Ok(()) => {
            println!("cargo::rustc-cfg=openmp");
            println!("cargo::rustc-link-lib=gomp");
        }
        Err(error) => println!("cargo::warning=OpenMP is left out: {error}"),
    }
}
