/* Plots of an evaluation, as SVG: plain shapes and text, readable without a program of ours. */
#include "flow/openset.h"

#include "base/file.h"

#include <math.h>
#include <stdio.h>

enum { WIDTH = 640, HEIGHT = 460, LEFT = 70, RIGHT = 150, TOP = 44, BOTTOM = 56, MAX_SVG_BYTES = 4 << 20 };

/* Told apart also by those who do not see all colours (Okabe & Ito 2008). */
static const char *const colours[FG_EVAL_SIZES] = {"#0072b2", "#e69f00", "#009e73",
                                                   "#cc79a7", "#56b4e9", "#d55e00"};

typedef struct plot {
    fg_buf out;
    fg_code rc;
    fg_error *err;
    double x0, x1, y0, y1; /* of the axes */
} plot;

/* The first failure stays: the plot is looked at once, at its end. */
#define PUT(p, ...)                                                                                          \
    do {                                                                                                     \
        if ((p)->rc == FG_OK)                                                                                \
            (p)->rc = fg_buf_printf(&(p)->out, (p)->err, __VA_ARGS__);                                       \
    } while (0)

static double across(const plot *p, double x)
{
    return LEFT + (WIDTH - LEFT - RIGHT) * (x - p->x0) / (p->x1 - p->x0);
}

static double down(const plot *p, double y)
{
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (y - p->y0) / (p->y1 - p->y0);
}

static void begin(plot *p, const char *title, const char *below, const char *beside)
{
    const int right = WIDTH - RIGHT, low = HEIGHT - BOTTOM;
    fg_buf_init(&p->out, MAX_SVG_BYTES);
    PUT(p,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
        "font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%%\" height=\"100%%\" "
        "fill=\"#fff\"/>\n",
        WIDTH, HEIGHT, WIDTH, HEIGHT);
    PUT(p, "<text x=\"%d\" y=\"24\" font-size=\"15\">%s</text>\n", LEFT, title);
    PUT(p, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", (LEFT + right) / 2, HEIGHT - 14,
        below);
    PUT(p, "<text transform=\"translate(18 %d) rotate(-90)\" text-anchor=\"middle\">%s</text>\n",
        (TOP + low) / 2, beside);
    PUT(p, "<path d=\"M%d %dV%dH%d\" fill=\"none\" stroke=\"#444\"/>\n", LEFT, TOP, low, right);
}

static void tick_x(plot *p, double x, const char *text)
{
    double at = across(p, x);
    PUT(p, "<path d=\"M%.1f %dV%d\" stroke=\"#ddd\"/>", at, TOP, HEIGHT - BOTTOM);
    PUT(p, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", at, HEIGHT - BOTTOM + 18, text);
}

static void tick_y(plot *p, double y, const char *text)
{
    double at = down(p, y);
    PUT(p, "<path d=\"M%d %.1fH%d\" stroke=\"#ddd\"/>", LEFT, at, WIDTH - RIGHT);
    PUT(p, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", LEFT - 6, at + 4, text);
}

static void key(plot *p, int row, const char *colour, const char *what, int number)
{
    double y = TOP + 12 + 20 * row;
    PUT(p, "<path d=\"M%d %.1fh18\" stroke=\"%s\" stroke-width=\"3\"/>", WIDTH - RIGHT + 14, y, colour);
    if (number > 0)
        PUT(p, "<text x=\"%d\" y=\"%.1f\">%d %s</text>\n", WIDTH - RIGHT + 38, y + 4, number, what);
    else
        PUT(p, "<text x=\"%d\" y=\"%.1f\">%s</text>\n", WIDTH - RIGHT + 38, y + 4, what);
}

static fg_code finish(plot *p, const char *folder, const char *name)
{
    char path[FG_MAX_PATH];
    PUT(p, "</svg>\n");
    if (p->rc == FG_OK)
        p->rc = fg_path_join(path, sizeof path, folder, name, p->err);
    if (p->rc == FG_OK)
        p->rc = fg_file_write_atomic(path, p->out.data, p->out.size, p->err);
    fg_buf_deinit(&p->out);
    return p->rc;
}

static double clamp(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

/* Both errors over the border, on logarithmic axes: detection error trade-off (Martin et al. 1997). */
static fg_code plot_det(const fg_openset *r, double far, const char *folder, fg_error *err)
{
    static const struct {
        double at;
        const char *text;
    } ticks[] = {{-5, "0.001 %"}, {-4, "0.01 %"}, {-3, "0.1 %"}, {-2, "1 %"}, {-1, "10 %"}, {0, "100 %"}};
    plot p = {.err = err, .x0 = -5, .x1 = 0, .y0 = -4, .y1 = 0};
    begin(&p, "Strangers let in against members refused", "strangers accepted (FAR)",
          "members refused (FRR)");
    for (int i = 0; i < 6; i++) {
        tick_x(&p, ticks[i].at, ticks[i].text);
        if (ticks[i].at >= p.y0)
            tick_y(&p, ticks[i].at, ticks[i].text);
    }
    double target = across(&p, clamp(log10(far), p.x0, p.x1));
    PUT(&p, "<path d=\"M%.1f %dV%d\" stroke=\"#888\" stroke-dasharray=\"5 4\"/>\n", target, TOP,
        HEIGHT - BOTTOM);
    for (int k = 0; k < r->size_count; k++) {
        const fg_openset_size *s = &r->sizes[k];
        long accepted = s->stranger_scores.count, refused = 0;
        if (!s->genuine_scores.count || !s->stranger_scores.count)
            continue;
        PUT(&p, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", colours[k]);
        for (int b = 0; b < FG_SCORE_BINS; b++) {
            double a = (double)accepted / (double)s->stranger_scores.count,
                   f = (double)refused / (double)s->genuine_scores.count;
            if (accepted > 0 && refused > 0)
                PUT(&p, "%.1f,%.1f ", across(&p, clamp(log10(a), p.x0, p.x1)),
                    down(&p, clamp(log10(f), p.y0, p.y1)));
            accepted -= s->stranger_scores.bins[b];
            refused += s->genuine_scores.bins[b];
        }
        PUT(&p, "\"/>\n");
        if (s->accepted.share > 0 && s->refused.share > 0)
            PUT(&p, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\"/>\n",
                across(&p, clamp(log10(s->accepted.share), p.x0, p.x1)),
                down(&p, clamp(log10(s->refused.share), p.y0, p.y1)), colours[k]);
        key(&p, k, colours[k], s->members == 1 ? "member" : "members", s->members);
    }
    PUT(&p,
        "<circle cx=\"%d\" cy=\"%d\" r=\"4\" fill=\"#444\"/><text x=\"%d\" y=\"%d\">the decision</text>\n",
        WIDTH - RIGHT + 23, TOP + 12 + 20 * FG_EVAL_SIZES, WIDTH - RIGHT + 38, TOP + 16 + 20 * FG_EVAL_SIZES);
    return finish(&p, folder, "det.svg");
}

/* Stated against true (Niculescu-Mizil & Caruana 2005). */
static fg_code plot_reliability(const fg_openset *r, const char *folder, fg_error *err)
{
    plot p = {.err = err, .x0 = 0, .x1 = 1, .y0 = 0, .y1 = 1};
    char text[16];
    begin(&p, "Is a stated probability right that often?",
          "stated probability, mean of a tenth; areas: share of the attempts", "was that member");
    for (int i = 0; i <= 10; i += 2) {
        snprintf(text, sizeof text, "%d %%", 10 * i);
        tick_x(&p, 0.1 * i, text);
        tick_y(&p, 0.1 * i, text);
    }
    PUT(&p, "<path d=\"M%.1f %.1fL%.1f %.1f\" stroke=\"#888\" stroke-dasharray=\"5 4\"/>\n", across(&p, 0),
        down(&p, 0), across(&p, 1), down(&p, 1));
    for (int k = 0; k < r->size_count; k++) {
        const fg_reliability *rel = &r->sizes[k].reliability;
        /* The dots' areas are the weights. No line joins them: most tenths in the middle have hardly an
         * attempt, and say nothing. */
        for (int b = 0; b < FG_RELIABILITY_BINS; b++)
            if (rel->bins[b].weight > 0)
                PUT(&p, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"%s\" fill-opacity=\".6\"/>\n",
                    across(&p, rel->bins[b].stated / rel->bins[b].weight),
                    down(&p, rel->bins[b].right / rel->bins[b].weight), 1.5 + 12 * sqrt(rel->bins[b].weight),
                    colours[k]);
        key(&p, k, colours[k], r->sizes[k].members == 1 ? "member" : "members", r->sizes[k].members);
    }
    return finish(&p, folder, "reliability.svg");
}

/* Log odds of members and of strangers, over all sizes, each scaled to its highest bar. */
static fg_code plot_scores(const fg_openset *r, const char *folder, fg_error *err)
{
    enum { BARS = 80, EACH = FG_SCORE_BINS / BARS };
    static const char *const names[2] = {"strangers", "members"};
    plot p = {.err = err, .x0 = FG_SCORE_LOW, .x1 = FG_SCORE_HIGH, .y0 = 0, .y1 = 1.05};
    char text[16];
    begin(&p, "Certainty of strangers and of members", "log odds of the probability", "share, highest is 1");
    for (int x = -20; x <= 20; x += 5) {
        snprintf(text, sizeof text, "%d", x);
        tick_x(&p, x, text);
    }
    double border = across(&p, log(9));
    PUT(&p,
        "<path d=\"M%.1f %dV%d\" stroke=\"#444\" stroke-dasharray=\"5 4\"/><text x=\"%.1f\" y=\"%d\">90 "
        "%%</text>\n",
        border, TOP, HEIGHT - BOTTOM, border + 4, TOP + 10);
    for (int kind = 0; kind < 2; kind++) {
        const char *colour = colours[kind ? 0 : 5];
        long bars[BARS] = {0}, most = 1;
        for (int k = 0; k < r->size_count; k++) {
            const fg_scores *s = kind ? &r->sizes[k].genuine_scores : &r->sizes[k].stranger_scores;
            for (int b = 0; b < FG_SCORE_BINS; b++)
                bars[b / EACH] += s->bins[b];
        }
        for (int b = 0; b < BARS; b++)
            most = bars[b] > most ? bars[b] : most;
        for (int b = 0; b < BARS; b++) {
            double x = across(&p, fg_score_bin_start(b * EACH)), y = down(&p, (double)bars[b] / (double)most);
            if (bars[b])
                PUT(&p,
                    "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\" "
                    "fill-opacity=\".55\"/>\n",
                    x, y, across(&p, fg_score_bin_start((b + 1) * EACH)) - x, HEIGHT - BOTTOM - y, colour);
        }
        key(&p, kind, colour, names[kind], 0);
    }
    return finish(&p, folder, "scores.svg");
}

fg_code fg_openset_plot(const fg_openset *result, double far, const char *folder, fg_error *err)
{
    fg_code rc = fg_dir_create(folder, err);
    if (rc == FG_OK)
        rc = plot_det(result, far, folder, err);
    if (rc == FG_OK)
        rc = plot_reliability(result, folder, err);
    return rc == FG_OK ? plot_scores(result, folder, err) : rc;
}
