// A module of C++ without a standard library: templates, virtual functions, lambdas, a hash map, a sort, a parser.
using size = decltype(sizeof 0);

void *operator new(size n) {
    alignas(16) static unsigned char heap[1 << 20];
    static size used = 0;
    void *p = heap + (used & (sizeof heap / 2 - 1));
    used += (n + 15) & ~size(15);
    return p;
}
void operator delete(void *) noexcept {}
void operator delete(void *, size) noexcept {}

template <class K, class V, int N> struct Map {
    struct Cell { K key; V value; bool set; } cells[N] = {};
    V &operator[](K key) {
        for (unsigned at = unsigned(key) * 2654435761u % N;; at = (at + 1) % N) {
            Cell &c = cells[at];
            if (!c.set)
                c = {key, V{}, true};
            if (c.key == key)
                return c.value;
        }
    }
};

struct Expr {
    virtual double eval(double x) const = 0;
    virtual ~Expr() {}
};
struct Num : Expr {
    double v;
    explicit Num(double v) : v(v) {}
    double eval(double) const override { return v; }
};
struct Var : Expr {
    double eval(double x) const override { return x; }
};
template <class F> struct Op : Expr {
    Expr *a, *b;
    F f;
    Op(Expr *a, Expr *b, F f) : a(a), b(b), f(f) {}
    double eval(double x) const override { return f(a->eval(x), b->eval(x)); }
    ~Op() override { delete a; delete b; }
};
template <class F> Expr *op(Expr *a, Expr *b, F f) { return new Op<F>(a, b, f); }

struct Parser {
    const char *s;
    Expr *sum() {
        Expr *e = product();
        for (;;) {
            if (*s == '+') { s++; e = op(e, product(), [](double a, double b) { return a + b; }); }
            else if (*s == '-') { s++; e = op(e, product(), [](double a, double b) { return a - b; }); }
            else return e;
        }
    }
    Expr *product() {
        Expr *e = atom();
        for (;;) {
            if (*s == '*') { s++; e = op(e, atom(), [](double a, double b) { return a * b; }); }
            else if (*s == '/') { s++; e = op(e, atom(), [](double a, double b) { return a / b; }); }
            else return e;
        }
    }
    Expr *atom() {
        if (*s == '(') { s++; Expr *e = sum(); if (*s == ')') s++; return e; }
        if (*s == 'x') { s++; return new Var; }
        double v = 0;
        while (*s >= '0' && *s <= '9') v = v * 10 + (*s++ - '0');
        return new Num(v);
    }
};

template <class T, class Less> void sort(T *a, int n, Less less) {
    if (n < 2) return;
    T pivot = a[n / 2];
    int i = 0, j = n - 1;
    while (i <= j) {
        while (less(a[i], pivot)) i++;
        while (less(pivot, a[j])) j--;
        if (i <= j) { T t = a[i]; a[i++] = a[j]; a[j--] = t; }
    }
    sort(a, j + 1, less);
    sort(a + i, n - i, less);
}

extern "C" __attribute__((export_name("ws_abi_v1"))) int marker() { return 1; }

extern "C" __attribute__((export_name("work"))) int work(int n) {
    static Map<int, double, 1024> seen;
    double values[64];
    for (int i = 0; i < 64; i++) {
        Parser p{"(x*x+3)*(x-2)/(x+1)-(4*x)"};
        Expr *e = p.sum();
        values[i] = seen[i] += e->eval((i * 37 + n) % 64);
        delete e;
    }
    sort(values, 64, [](double a, double b) { return a < b; });
    return int(values[32]);
}
